namespace Bnb.Engine.Verifying;

/// <summary>Compares codes that are integers: LLM.int8() and INT4.</summary>
internal static class IntegerCodes
{
    /// <param name="expected">Codes by the definition.</param>
    /// <param name="found">Codes of the file, same length.</param>
    /// <param name="valuesPerScale">Codes that share a scale.</param>
    /// <param name="values">The source; asked for with the next two only where codes are off by one.</param>
    /// <param name="scales">By the definition.</param>
    /// <param name="isTie">Whether a value lies between two codes, so that either may be right; null when the definition leaves
    /// no choice.</param>
    public static CodeComparison.Counts Compare(
        ReadOnlySpan<sbyte> expected, ReadOnlySpan<sbyte> found, int valuesPerScale,
        ReadOnlySpan<float> values, ReadOnlySpan<float> scales, Func<float, float, bool>? isTie)
    {
        long differing = 0, excused = 0, groups = 0, first = -1, byOne = 0;
        int lastScale = -1;
        for (int i = expected.CommonPrefixLength(found); i < expected.Length; i++)
        {
            if (expected[i] == found[i]) continue;
            int scale = i / valuesPerScale;
            bool isNext = Math.Abs(expected[i] - found[i]) == 1;
            if (isNext && isTie is not null && isTie(values[i], scales[scale]))
            {
                excused++;
                continue;
            }

            differing++;
            if (first < 0) first = i;
            if (isNext) byOne++;
            if (scale == lastScale) continue;
            lastScale = scale;
            groups++;
        }

        return new CodeComparison.Counts(differing, excused, groups, first, byOne);
    }
}
