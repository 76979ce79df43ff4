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
        ref float x0 = ref MemoryMarshal.GetReference(x), v0 = ref MemoryMarshal.GetReference(values[..x.Length]);
        ref float w0 = ref MemoryMarshal.GetReference(weights);
        for (nuint i = 0; i < (nuint)x.Length; i += 8)
        {
            (Vector256<double> xLow, Vector256<double> xHigh) = Vector256.Widen(Vector256.LoadUnsafe(ref x0, i));
            (Vector256<double> vLow, Vector256<double> vHigh) = Vector256.Widen(Vector256.LoadUnsafe(ref v0, i));
            Vector256<double> restLow = xLow - (factor * vLow), restHigh = xHigh - (factor * vHigh);
            Vector256<double> squareLow = restLow * restLow, squareHigh = restHigh * restHigh;
            if (weights.Length != 0)
            {
                (Vector256<double> wLow, Vector256<double> wHigh) = Vector256.Widen(Vector256.LoadUnsafe(ref w0, i));
                squareLow *= wLow;
                squareHigh *= wHigh;
            }

            low += squareLow;
            high += squareHigh;
        }

        return Sum(low, high);
    }

    /// <summary>The scale with the least error for given values: (sum of weight * x * value) / (sum of weight * value^2). NaN
    /// when all values are 0.</summary>
    public static double LeastSquares(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ReadOnlySpan<float> values)
    {
        Vector256<double> productLow = default, productHigh = default, squareLow = default, squareHigh = default;
        ref float x0 = ref MemoryMarshal.GetReference(x), v0 = ref MemoryMarshal.GetReference(values[..x.Length]);
        ref float w0 = ref MemoryMarshal.GetReference(weights);
        for (nuint i = 0; i < (nuint)x.Length; i += 8)
        {
            (Vector256<double> xLow, Vector256<double> xHigh) = Vector256.Widen(Vector256.LoadUnsafe(ref x0, i));
            (Vector256<double> vLow, Vector256<double> vHigh) = Vector256.Widen(Vector256.LoadUnsafe(ref v0, i));
            Vector256<double> leftLow = vLow, leftHigh = vHigh;
            if (weights.Length != 0)
            {
                (Vector256<double> wLow, Vector256<double> wHigh) = Vector256.Widen(Vector256.LoadUnsafe(ref w0, i));
                leftLow *= wLow;
                leftHigh *= wHigh;
            }

            productLow += leftLow * xLow;
            productHigh += leftHigh * xHigh;
            squareLow += leftLow * vLow;
            squareHigh += leftHigh * vHigh;
        }

        return Sum(productLow, productHigh) / Sum(squareLow, squareHigh);
    }

    /// <summary>Whether a least-squares scale can take the place of the scale whose values gave it: a normal number of the same
    /// sign, and not larger than is searched.</summary>
    public static bool IsScale(in ScaleChoice choice, float refined, float largest) =>
        float.IsNormal(refined) && float.IsNegative(refined) == choice.Negative && MathF.Abs(refined) <= largest;

    private static double Sum(Vector256<double> low, Vector256<double> high)
    {
        Vector256<double> four = low + high;
        return four.GetElement(0) + four.GetElement(1) + (four.GetElement(2) + four.GetElement(3));
    }
}
