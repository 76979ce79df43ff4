using System.Buffers.Binary;

namespace Bnb.Quant.PackedWords;

/// <summary>
/// The int32 words of GPTQ's <c>qweight</c> and <c>qzeros</c>. Source: gptqmodel 7.7, <c>nn_modules/qlinear/__init__.py</c>
/// (<c>pack_original</c>, <c>dequantize_weight</c>). A word of <c>qweight</c> holds the codes of 32 / bits neighbouring input
/// features of one output feature, one of <c>qzeros</c> the zero points of as many output features; the first in the lowest
/// bits.
/// </summary>
public static class GptqWords
{
    /// <summary>Whether codes of this many bits are read: 2, 4 or 8, which fill words without crossing them.</summary>
    public static bool IsWidth(int bits) => bits is 2 or 4 or 8;

    /// <summary>Codes or zero points in a word.</summary>
    public static int PerWord(int bits) => 32 / bits;

    /// <summary>
    /// Spreads words of neighbouring output features, all of the same input features, over rows of codes: word i goes to
    /// <paramref name="position"/> + i * <paramref name="stride"/> and the places after it. What lies outside of
    /// <paramref name="codes"/> is dropped.
    /// </summary>
    /// <param name="bits">Bits of a code.</param>
    /// <param name="words">The words.</param>
    /// <param name="codes">A byte per code: part of a row-major [out, in] matrix.</param>
    /// <param name="position">Where the first word's codes go; may be negative.</param>
    /// <param name="stride">Input features, the distance of neighbouring rows.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number of bits is not supported.</exception>
    public static void Spread(int bits, ReadOnlySpan<int> words, Span<byte> codes, long position, long stride)
    {
        CheckBits(bits);
        foreach (int word in words)
        {
            if (position >= codes.Length) return;
            if (bits == 4 && position >= 0 && position + 8 <= codes.Length)
                BinaryPrimitives.WriteUInt64LittleEndian(codes[(int)position..], Nibbles((uint)word));
            else if (position > -PerWord(bits)) SpreadOne(bits, (uint)word, codes, position);
            position += stride;
        }
    }

    /// <summary>
    /// Zero points of neighbouring output features. Version 1 of the format stores them less one, in a word as a whole:
    /// one is added to each place with carries between them, as gptqmodel does.
    /// </summary>
    /// <param name="bits">Bits of a zero point.</param>
    /// <param name="storedLessOne">True for version 1 (<c>checkpoint_format</c> "gptq"), false for "gptq_v2".</param>
    /// <param name="words">The words that hold them.</param>
    /// <param name="first">The first one wanted, counted from the first word's lowest bits.</param>
    /// <param name="zeros">As many as wanted.</param>
    /// <exception cref="ArgumentException">There are too few words.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The number of bits is not supported.</exception>
    public static void Zeros(int bits, bool storedLessOne, ReadOnlySpan<int> words, int first, Span<float> zeros)
    {
        CheckBits(bits);
        int each = PerWord(bits);
        uint mask = (1u << bits) - 1, ones = storedLessOne ? uint.MaxValue / mask : 0;
        if (zeros.Length > 0 && (first < 0 || (first + zeros.Length - 1) / each >= words.Length))
            throw new ArgumentException($"{words.Length} words hold fewer than {first + zeros.Length} zero points", nameof(words));
        for (int i = 0; i < zeros.Length; i++)
        {
            uint word = unchecked((uint)words[(first + i) / each] + ones);
            zeros[i] = (word >> ((first + i) % each * bits)) & mask;
        }
    }

    private static void SpreadOne(int bits, uint word, Span<byte> codes, long position)
    {
        for (int i = 0; i < PerWord(bits); i++, position++)
        {
            if (position >= 0 && position < codes.Length) codes[(int)position] = (byte)((word >> (i * bits)) & ((1u << bits) - 1));
        }
    }

    /// <summary>Eight nibbles to eight bytes, the lowest first.</summary>
    private static ulong Nibbles(uint word)
    {
        ulong spread = word;
        spread = (spread | (spread << 16)) & 0x0000_FFFF_0000_FFFF;
        spread = (spread | (spread << 8)) & 0x00FF_00FF_00FF_00FF;
        return (spread | (spread << 4)) & 0x0F0F_0F0F_0F0F_0F0F;
    }

    private static void CheckBits(int bits)
    {
        if (!IsWidth(bits)) throw new ArgumentOutOfRangeException(nameof(bits), bits, "must be 2, 4 or 8");
    }
}
