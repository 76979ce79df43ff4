namespace Bnb.Quant.PackedWords;

/// <summary>
/// The int32 words of AWQ's GEMM layout. Source: autoawq 0.2.9, <c>utils/packing_utils.py</c>. A word of <c>qweight</c> holds
/// the 4-bit codes of 8 neighbouring output features of one input feature, one of <c>qzeros</c> their zero points; both in
/// the order 0, 2, 4, 6, 1, 3, 5, 7, the first in the lowest bits.
/// </summary>
public static class AwqWords
{
    /// <summary>Output features in a word.</summary>
    public const int PerWord = 8;

    /// <summary>By output feature: how far its code is from the lowest bits.</summary>
    private static readonly int[] Shifts = [0, 16, 4, 20, 8, 24, 12, 28];

    /// <summary>
    /// Spreads the codes of neighbouring output features, all of the same input feature, over rows of codes: the i-th goes to
    /// <paramref name="position"/> + i * <paramref name="stride"/>. What lies outside of <paramref name="codes"/> is dropped.
    /// </summary>
    /// <param name="words">The words that hold them.</param>
    /// <param name="first">The first output feature wanted, counted from the first word's.</param>
    /// <param name="count">How many are wanted.</param>
    /// <param name="codes">A byte per code: part of a row-major [out, in] matrix.</param>
    /// <param name="position">Where the first code goes; may be negative.</param>
    /// <param name="stride">Input features, the distance of neighbouring rows.</param>
    /// <exception cref="ArgumentException">There are too few words.</exception>
    public static void Spread(ReadOnlySpan<int> words, int first, int count, Span<byte> codes, long position, long stride)
    {
        Check(words, first, count);
        for (int i = 0; i < count; i++, position += stride)
        {
            if (position >= 0 && position < codes.Length) codes[(int)position] = (byte)Code(words, first + i);
        }
    }

    /// <summary>Zero points of neighbouring output features, as stored.</summary>
    /// <param name="words">The words that hold them.</param>
    /// <param name="first">The first one wanted, counted from the first word's.</param>
    /// <param name="zeros">As many as wanted.</param>
    /// <exception cref="ArgumentException">There are too few words.</exception>
    public static void Zeros(ReadOnlySpan<int> words, int first, Span<float> zeros)
    {
        Check(words, first, zeros.Length);
        for (int i = 0; i < zeros.Length; i++) zeros[i] = Code(words, first + i);
    }

    private static uint Code(ReadOnlySpan<int> words, int feature) =>
        ((uint)words[feature / PerWord] >> Shifts[feature % PerWord]) & 0xF;

    private static void Check(ReadOnlySpan<int> words, int first, int count)
    {
        if (count > 0 && (first < 0 || (first + count - 1) / PerWord >= words.Length))
            throw new ArgumentException($"{words.Length} words hold fewer than {first + count} features", nameof(words));
    }
}
