using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Metrics;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>The calculated error of normal weights against a table measured elsewhere and against our own quantizer.</summary>
public class MetricsTheory4Tests
{
    /// <summary>Percent, measured on 33.5 million samples per row with an independent program.</summary>
    [Theory]
    [InlineData(32, 8.73, 11.42)]
    [InlineData(64, 9.20, 12.20)]
    [InlineData(128, 9.56, 12.86)]
    [InlineData(256, 9.86, 13.47)]
    [InlineData(512, 10.15, 14.04)]
    [InlineData(1024, 10.42, 14.62)]
    [InlineData(2048, 10.70, 15.17)]
    [InlineData(4096, 10.99, 15.78)]
    public void RelativeRmse_EveryBlocksize_IsTheMeasuredOne(int blocksize, double nf4, double fp4)
    {
        Assert.Equal(nf4, 100 * Theory4.RelativeRmse(Code4Catalog.Nf4, blocksize), 0.05);
        Assert.Equal(fp4, 100 * Theory4.RelativeRmse(Code4Catalog.Fp4, blocksize), 0.05);
    }

    [Theory]
    [InlineData("nf4", 32)]
    [InlineData("nf4", 64)]
    [InlineData("nf4", 4096)]
    [InlineData("fp4", 64)]
    [InlineData("fp4", 512)]
    public void RelativeRmse_OfOurQuantizer_IsWithinSevenSigma(string name, int blocksize)
    {
        Code4 code = Code4Catalog.ByName(name);
        float[] values = FloatPalette.Normals(99 + blocksize, 1 << 20);
        Quantized result = Kernels.Run(code, blocksize, values);
        var decoded = new float[values.Length];
        Dequantize4.Run(code, blocksize, result.Packed, result.Absmax, decoded, KernelPaths.Selected);

        // The blocks are the independent observations: sum of squared errors and of squared values per block. The theory is
        // E[errors] / E[values], so errors - theory^2 * values has mean zero.
        double theory = Theory4.RelativeRmse(code, blocksize);
        double[] excess =
        [
            .. values.Zip(decoded, (a, b) => Math.Pow((double)b - a, 2) - theory * theory * Math.Pow(a, 2))
                .Chunk(blocksize)
                .Select(block => block.Average()),
        ];
        double mean = excess.Average();
        double sigma = Math.Sqrt(excess.Sum(value => Math.Pow(value - mean, 2)) / (excess.Length - 1) / excess.Length);
        Assert.InRange(mean, -7 * sigma, 7 * sigma);

        // In units of the relative RMSE; the large blocks are few.
        Assert.InRange(7 * sigma / (2 * theory * theory), 0, blocksize <= 64 ? 0.006 : 0.03);
    }

    [Fact]
    public void RelativeRmse_WrongBlocksize_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Theory4.RelativeRmse(Code4Catalog.Nf4, 48));
}
