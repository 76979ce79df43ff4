namespace Bnb.Quant.Codes;

/// <summary>The order of two 4-bit codes in a byte, for the code that handles one value at a time.</summary>
internal static class Nibbles
{
    /// <summary>The byte of two consecutive codes: the first in the high nibble.</summary>
    public static byte Pack(byte first, byte second) => (byte)((first << 4) | second);

    /// <summary>The code at <paramref name="index"/> (in values) of packed bytes.</summary>
    public static int CodeAt(ReadOnlySpan<byte> packed, int index) => (packed[index / 2] >> (index % 2 == 0 ? 4 : 0)) & 0xF;
}
