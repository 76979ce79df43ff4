using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>The calculated error of normal weights against our own quantizer.</summary>
public class Groups4TheoryTests
{
    [Theory]
    [InlineData(ElementType.F32, 32, true)]
    [InlineData(ElementType.F32, 32, false)]
    [InlineData(ElementType.F32, 64, true)]
    [InlineData(ElementType.F32, 64, false)]
    [InlineData(ElementType.F32, 128, true)]
    [InlineData(ElementType.F32, 128, false)]
    public void RelativeRmse_OfOurQuantizer_IsWithinSevenSigma(ElementType type, int groupSize, bool symmetric)
    {
        double theory = TheoryGroups4.RelativeRmse(groupSize, symmetric);
        double[] excess = Excess(type, groupSize, symmetric, theory, 1 << 20);
        double mean = excess.Average();
        double sigma = Math.Sqrt(excess.Sum(value => Math.Pow(value - mean, 2)) / (excess.Length - 1) / excess.Length);
        Assert.InRange(mean, -7 * sigma, 7 * sigma);

        // In units of the relative RMSE.
        Assert.InRange(7 * sigma / (2 * theory * theory), 0, 0.012);
    }

    [Theory]
    [InlineData(ElementType.BF16, 32, true)]
    [InlineData(ElementType.BF16, 64, false)]
    [InlineData(ElementType.F16, 128, true)]
    [InlineData(ElementType.F16, 128, false)]
    public void RelativeRmse_Of16BitWeights_IsNearIt(ElementType type, int groupSize, bool symmetric)
    {
        double theory = TheoryGroups4.RelativeRmse(groupSize, symmetric);
        double relative = Excess(type, groupSize, symmetric, theory, 1 << 20).Average() / (2 * theory * theory);
        Assert.InRange(relative, -0.02, 0.02);
    }

    /// <summary>Percent. A separate program with the error function of its C library and a step of 1/64.</summary>
    [Theory]
    [InlineData(8, 5.70223)]
    [InlineData(16, 6.94883)]
    [InlineData(32, 8.07521)]
    [InlineData(64, 9.10328)]
    [InlineData(128, 10.05104)]
    public void RelativeRmse_Asymmetric_IsTheOneComputedElsewhere(int groupSize, double percent) =>
        Assert.Equal(percent, 100 * TheoryGroups4.RelativeRmse(groupSize, false), percent * 1e-5);

    [Fact]
    public void RelativeRmse_GrowsWithTheGroup_HoweverLarge()
    {
        foreach (bool symmetric in (bool[])[true, false])
        {
            double last = 0;
            foreach (int groupSize in (int[])[8, 64, 1024, 1 << 17, 1 << 24, int.MaxValue])
            {
                double next = TheoryGroups4.RelativeRmse(groupSize, symmetric);
                Assert.InRange(next, last * 1.05, 0.5);
                last = next;
            }
        }
    }

    [Fact]
    public void RelativeRmse_WrongGroupSize_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => TheoryGroups4.RelativeRmse(7, true));

    /// <summary>Per group, squared error minus what the theory expects of its squares: mean zero over independent groups.</summary>
    private static double[] Excess(ElementType type, int groupSize, bool symmetric, double theory, int count)
    {
        byte[] source = Kernels.Store(type, FloatPalette.Normals(99 + groupSize, count));
        var values = new float[count];
        Widen.ToSingle(type, source, values);
        Quantized4Groups result = Groups4.Run(type, groupSize, symmetric, source, KernelPaths.Selected);
        var decoded = new float[count];
        DequantizeGroups4.Run(
            type, groupSize, result.Packed, result.Scales, result.ZeroPoints, decoded, KernelPaths.Selected);
        return
        [
            .. values.Zip(decoded, (a, b) => Math.Pow((double)b - a, 2) - theory * theory * Math.Pow(a, 2))
                .Chunk(groupSize)
                .Select(group => group.Average()),
        ];
    }
}
