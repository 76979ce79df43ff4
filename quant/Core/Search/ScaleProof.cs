namespace Bnb.Quant.Search;

/// <summary>
/// Proof by trial that a scale is the best: plain float64 arithmetic over every value of the data type, sharing nothing with the
/// search. For samples: it takes a thousand times as long.
/// </summary>
public static class ScaleProof
{
    /// <summary>What rounding the two computations may differ by, relative to the error itself.</summary>
    private const double Tolerance = 1e-6;

    /// <summary>Whether some other scale leaves a smaller error than the stored one.</summary>
    /// <param name="table">The values of the data type for scale 1.</param>
    /// <param name="x">One block.</param>
    /// <param name="importance">What an error in each value weighs.</param>
    /// <param name="start">Index in the importance's run of the block's first value.</param>
    /// <param name="scale">The stored scale.</param>
    /// <param name="others">Scales to compare with, of either sign; zeros are passed over.</param>
    public static bool IsBeaten(
        ReadOnlySpan<float> table, ReadOnlySpan<float> x, ColumnImportance importance, long start, float scale, IEnumerable<float> others)
    {
        ArgumentNullException.ThrowIfNull(others);
        float[] sorted = table.ToArray();
        Array.Sort(sorted);
        ReadOnlySpan<float> weights = importance.Of(start, x.Length, new float[x.Length]);
        double stored = Error(sorted, x, weights, scale, double.PositiveInfinity);
        double limit = stored * (1 - Tolerance);
        foreach (float other in others)
        {
            if (other != 0 && Error(sorted, x, weights, other, limit) < limit) return true;
        }

        return false;
    }

    /// <summary>The scales between two magnitudes that a search compares where any float32 can be stored: all numbers of so many
    /// significant bits.</summary>
    public static IEnumerable<float> Candidates(float smallest, float largest, int significantBits, bool bothSigns)
    {
        int step = 1 << (24 - significantBits);
        for (int bits = BitConverter.SingleToInt32Bits(smallest) / step * step; ; bits += step)
        {
            float scale = BitConverter.Int32BitsToSingle(bits);
            if (!(scale <= largest)) yield break;
            yield return scale;
            if (bothSigns) yield return -scale;
        }
    }

    /// <summary>The least error of any codes under a scale; stops where it passes <paramref name="enough"/>.</summary>
    private static double Error(float[] sorted, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, double scale, double enough)
    {
        double sum = 0;
        for (int i = 0; i < x.Length && sum < enough; i++)
        {
            double y = scale == 0 ? 0 : x[i] / scale;
            int low = 0, high = sorted.Length - 1;
            while (high - low > 1)
            {
                int middle = (low + high) / 2;
                if (sorted[middle] <= y) low = middle;
                else high = middle;
            }

            double first = x[i] - (scale * sorted[low]), second = x[i] - (scale * sorted[high]);
            sum += Math.Min(first * first, second * second) * (weights.IsEmpty ? 1 : weights[i]);
        }

        return sum;
    }
}
