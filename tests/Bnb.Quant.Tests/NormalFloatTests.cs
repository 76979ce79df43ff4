using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Metrics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Tests;

/// <summary>NF-k, the tables derived from quantiles.</summary>
public sealed class NormalFloatTests
{
    public static TheoryData<int> Widths => [2, 3, 4, 5, 6, 7, 8];

    /// <summary>Quantiles to 17 digits, computed with 40.</summary>
    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(0.51, 0.025068908258711057)]
    [InlineData(0.9677083, 1.8481309597573738)]
    [InlineData(0.998, 2.8781617390954832)]
    [InlineData(0.999, 3.0902323061678133)]
    public void Quantile_UpToTheLargest_IsWithinItsBound(double probability, double expected) =>
        Assert.True(Math.Abs(NormalQuantile.Of(probability) - expected) <= Math.ScaleB(expected, -39));

    [Theory]
    [MemberData(nameof(Widths))]
    public void Values_AnyWidth_AscendFromMinusOneOverZeroToOne(int bits)
    {
        float[] values = NormalFloat.Values(bits);

        Assert.Equal(1 << bits, values.Length);
        Assert.Equal((-1f, 0f, 1f), (values[0], values[values.Length / 2 - 1], values[^1]));
        Assert.Equal(values.Order(), values);
        Assert.Equal(values.Length, values.Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Values_AnyWidth_AreFarFromAnotherRounding(int bits)
    {
        int half = 1 << (bits - 1);
        for (int i = 0; i < half; i++)
        {
            double quantile = NormalQuantile.Of(NormalFloat.Point(NormalFloat.Offset(bits), half + 1, i));
            Assert.Equal((float)(quantile * (1 - Math.ScaleB(1, -39))), (float)(quantile * (1 + Math.ScaleB(1, -39))));
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Points_AnyWidth_AreThoseOfLinspace(int bits)
    {
        foreach (int count in (int[])[1 << (bits - 1), (1 << (bits - 1)) + 1])
        {
            float[] expected = Linspace.Of(NormalFloat.Offset(bits), 0.5f, count);
            Assert.Equal(expected, Enumerable.Range(0, count).Select(i => NormalFloat.Point(NormalFloat.Offset(bits), count, i)));
        }
    }

    [Fact]
    public void Midpoints_OfFourBits_AreTheThresholdsOfTheKernel() =>
        Assert.Equal(Nf4.Thresholds.ToArray(), NormalFloat.Midpoints(NormalFloat.Values(4)));

    [Fact]
    public void Rmse_MoreBits_IsLess()
    {
        double[] errors = [.. Enumerable.Range(2, 7).Select(bits => Theory4.RelativeRmse(NormalFloat.Values(bits), 64))];

        Assert.Equal(errors.OrderDescending(), errors);
        Assert.Equal(Theory4.RelativeRmse(Code4Catalog.Nf4, 64), errors[2]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9)]
    public void Values_OtherWidths_AreRefused(int bits) => Assert.Throws<ArgumentOutOfRangeException>(() => NormalFloat.Values(bits));
}
