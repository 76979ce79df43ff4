using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Search;

/// <summary>
/// The sums that decide. float64, eight running sums over the indices modulo 8, added as (0 + 4) + (1 + 5) + ((2 + 6) + (3 + 7));
/// nothing fused, so every machine gets the same bits. Products of two float32 are exact.
/// </summary>
internal static class BlockError
{
    /// <summary>Sum of weight * (x - scale * value)^2. The lengths are equal and a multiple of 8.</summary>
    /// <param name="weights">Empty for 1 everywhere.</param>
    public static double Of(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ReadOnlySpan<float> values, float scale)
    {
        Vector256<double> factor = Vector256.Create((double)scale), low = default, high = default;
        for (int i = 0; i < x.Length; i += 8)
        {
            (Vector256<double> x0, Vector256<double> x1) = Load(x, i);
            (Vector256<double> v0, Vector256<double> v1) = Load(values, i);
            Vector256<double> rest0 = x0 - (factor * v0), rest1 = x1 - (factor * v1);
            Vector256<double> square0 = rest0 * rest0, square1 = rest1 * rest1;
            if (!weights.IsEmpty)
            {
                (Vector256<double> w0, Vector256<double> w1) = Load(weights, i);
                square0 *= w0;
                square1 *= w1;
            }

            low += square0;
            high += square1;
        }

        return Sum(low, high);
    }

    /// <summary>The scale with the least error for given values: (sum of weight * x * value) / (sum of weight * value^2). NaN
    /// when all values are 0.</summary>
    public static double LeastSquares(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ReadOnlySpan<float> values)
    {
        Vector256<double> productLow = default, productHigh = default, squareLow = default, squareHigh = default;
        for (int i = 0; i < x.Length; i += 8)
        {
            (Vector256<double> x0, Vector256<double> x1) = Load(x, i);
            (Vector256<double> v0, Vector256<double> v1) = Load(values, i);
            Vector256<double> left0 = v0, left1 = v1;
            if (!weights.IsEmpty)
            {
                (Vector256<double> w0, Vector256<double> w1) = Load(weights, i);
                left0 *= w0;
                left1 *= w1;
            }

            productLow += left0 * x0;
            productHigh += left1 * x1;
            squareLow += left0 * v0;
            squareHigh += left1 * v1;
        }

        return Sum(productLow, productHigh) / Sum(squareLow, squareHigh);
    }

    private static (Vector256<double> Low, Vector256<double> High) Load(ReadOnlySpan<float> source, int index) =>
        Vector256.Widen(Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(source.Slice(index, 8))));

    private static double Sum(Vector256<double> low, Vector256<double> high)
    {
        Vector256<double> four = low + high;
        return four.GetElement(0) + four.GetElement(1) + (four.GetElement(2) + four.GetElement(3));
    }
}
