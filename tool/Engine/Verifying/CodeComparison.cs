using Bnb.Quant.Blockwise;

namespace Bnb.Engine.Verifying;

/// <summary>
/// Compares packed codes with those the definition gives, and tells differences that matter from those in which
/// bitsandbytes' own code paths differ among themselves: blocks of zeros, fp4's two zeros, values at a threshold.
/// </summary>
internal static class CodeComparison
{
    // Thresholds and scaled values are rounded differently on the library's paths; fp4's smallest threshold is off by 1.3e-6.
    private const double Fp4Tie = 2e-6;
    private const double Nf4Tie = 4e-7;

    /// <param name="Differing">Codes that differ for a reason that matters.</param>
    /// <param name="Excused">Codes that differ where it does not.</param>
    /// <param name="Blocks">Blocks with a differing code that matters.</param>
    /// <param name="First">Index within the range of the first one, -1 when none.</param>
    /// <param name="ByOne">Of the differing ones, those next to the right value.</param>
    public readonly record struct Counts(long Differing, long Excused, long Blocks, long First, long ByOne);

    /// <param name="expected">Packed codes by the definition.</param>
    /// <param name="found">Packed codes of the file, same length.</param>
    /// <param name="values">The source as float32, from the first code on; its length is the number of codes.</param>
    /// <param name="absmax">By the definition, one per block.</param>
    public static Counts Compare(
        Code4 code, int blocksize, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> found, ReadOnlySpan<float> values, ReadOnlySpan<float> absmax)
    {
        if (expected.SequenceEqual(found)) return new Counts(0, 0, 0, -1, 0);
        long differing = 0, excused = 0, blocks = 0, first = -1, byOne = 0;
        int lastBlock = -1;
        ReadOnlySpan<float> table = code.Values.Span;
        for (int i = 0; i < values.Length; i++)
        {
            if ((i & 1) == 0 && expected[i >> 1] == found[i >> 1])
            {
                i++;
                continue;
            }

            int shift = (i & 1) == 0 ? 4 : 0;
            int right = (expected[i >> 1] >> shift) & 15, actual = (found[i >> 1] >> shift) & 15;
            if (right == actual) continue;
            float scale = absmax[i / blocksize];
            if (IsExcused(code, table, right, actual, values[i], scale))
            {
                excused++;
                continue;
            }

            differing++;
            if (first < 0) first = i;
            if (AreNeighbours(table, right, actual)) byOne++;
            if (i / blocksize == lastBlock) continue;
            lastBlock = i / blocksize;
            blocks++;
        }

        return new Counts(differing, excused, blocks, first, byOne);
    }

    private static bool IsExcused(Code4 code, ReadOnlySpan<float> table, int right, int actual, float value, float absmax)
    {
        // Every code decodes to zero there.
        if (absmax == 0) return true;
        // fp4 has two codes of zero.
        if (table[right] == table[actual]) return true;
        if (!AreNeighbours(table, right, actual)) return false;
        double middle = ((double)table[right] + table[actual]) / 2;
        double x = (double)value / absmax;
        return Math.Abs(x - middle) <= Math.Abs(middle) * (code.Name == "fp4" ? Fp4Tie : Nf4Tie);
    }

    /// <summary>True when no other value of the table lies between two.</summary>
    private static bool AreNeighbours(ReadOnlySpan<float> table, int a, int b)
    {
        float low = Math.Min(table[a], table[b]), high = Math.Max(table[a], table[b]);
        foreach (float value in table)
        {
            if (value > low && value < high) return false;
        }

        return true;
    }
}
