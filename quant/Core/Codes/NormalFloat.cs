using Bnb.Quant.Numerics;

namespace Bnb.Quant.Codes;

/// <summary>
/// NF-k, the data types whose values are quantiles of the normal distribution (Dettmers et al., QLoRA, arXiv:2305.14314), for k
/// from 2 to 8 bits: 2^(k-1) values above zero, one less below, and zero. k = 4 is <c>nf4</c>, bit for bit the sixteen values of
/// bitsandbytes' <c>functional.py create_normal_map</c>; it alone is a type that checkpoints have. Written for kernels, too:
/// no tables, no allocation but in <see cref="Values"/> and <see cref="Midpoints"/>.
/// </summary>
public static class NormalFloat
{
    /// <summary>The least k.</summary>
    public const int FewestBits = 2;

    /// <summary>The largest k.</summary>
    public const int MostBits = 8;

    /// <summary>
    /// The probability at the outermost value, as float32: 1 - (1/(2*2^k) + 1/(2*(2^k - 1)))/2, so that the tails beyond hold half
    /// a value's share; for k = 4 as published, 0.9677083, which is one float32 step from the formula.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">k is out of range.</exception>
    public static float Offset(int bits)
    {
        CheckBits(bits);
        if (bits == 4) return 0.9677083f;
        double codes = 1 << bits;
        return (float)(1 - (1 / (2 * codes) + 1 / (2 * (codes - 1))) / 2);
    }

    /// <summary>
    /// The 2^k values, ascending, from -1 to 1. Positive ones are the quantiles of the first 2^(k-1) of 2^(k-1) + 1 evenly
    /// spaced probabilities from <see cref="Offset"/> to 1/2, negative ones those of the first 2^(k-1) - 1 of 2^(k-1); each is
    /// rounded to float32 and divided in float32 by the largest. Exact: a quantile's error (2^-39) is too small to change a
    /// rounding of any of them.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">k is out of range.</exception>
    public static float[] Values(int bits)
    {
        float offset = Offset(bits);
        var values = new float[1 << bits];
        float largest = Quantile(bits, offset, values.Length - 1);
        for (int code = 0; code < values.Length; code++) values[code] = Quantile(bits, offset, code) / largest;
        return values;
    }

    /// <summary>Where one value becomes the next: (a + b) / 2 in float32. For k = 4 bit for bit the constants of
    /// bitsandbytes' <c>dQuantizeNF4</c>.</summary>
    /// <param name="values">Ascending, at least one.</param>
    public static float[] Midpoints(ReadOnlySpan<float> values)
    {
        var midpoints = new float[values.Length - 1];
        for (int i = 0; i < midpoints.Length; i++) midpoints[i] = Midpoint(values[i], values[i + 1]);
        return midpoints;
    }

    /// <summary>One of them. The half of a float32 sum is exact.</summary>
    internal static float Midpoint(float low, float high) => (low + high) * 0.5f;

    /// <summary>The quantile, as float32, that is the value of a code before the division by the largest; codes ascend.</summary>
    internal static float Quantile(int bits, float offset, int code)
    {
        int half = 1 << (bits - 1);
        if (code == half - 1) return 0f;
        float probability = code < half ? Point(offset, half, code) : Point(offset, half + 1, 2 * half - 1 - code);
        float quantile = (float)NormalQuantile.Of(probability);
        return code < half ? -quantile : quantile;
    }

    /// <summary>Point i of count evenly spaced float32 from offset to 1/2, as <see cref="Linspace"/> makes them. A step times a small
    /// number is exact in float64 and so is the sum, so there is one rounding, fused or not.</summary>
    internal static float Point(float offset, int count, int i)
    {
        float step = (0.5f - offset) / (count - 1);
        return i < count / 2 ? (float)(offset + (double)step * i) : (float)(0.5 - (double)step * (count - 1 - i));
    }

    private static void CheckBits(int bits)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bits, FewestBits);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, MostBits);
    }
}
