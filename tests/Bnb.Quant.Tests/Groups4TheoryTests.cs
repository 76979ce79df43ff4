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

    [Fact]
    public void RelativeRmse_TwoValues_IsTheOneByHand()
    {
        // Symmetric: the larger value is half a scale off, the smaller anywhere within half a scale, almost uniformly. E[max^2
        // of two] = 1 + 2/pi, so (1/4 + 1/12) / 7.5^2 / 2 of it.
        double expected = Math.Sqrt((1 + 2 / Math.PI) / 3 / (7.5 * 7.5) / 2);
        Assert.Equal(expected, TheoryGroups4.RelativeRmse(2, true), expected * 0.01);
    }

    [Fact]
    public void RelativeRmse_WrongGroupSize_IsRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => TheoryGroups4.RelativeRmse(1, true));
        Assert.Throws<ArgumentOutOfRangeException>(() => TheoryGroups4.RelativeRmse((1 << 16) + 1, false));
    }

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
