namespace Bnb.Formats.Torch;

/// <summary>
/// The checksum of zip archives (ISO 3309, reflected polynomial 0xEDB88320), eight bytes at a time by tables; where the
/// processor multiplies without carries, long spans are folded (<c>Crc32.Folding.cs</c>), with the same result.
/// </summary>
internal static partial class Crc32
{
    private const int Lanes = 8;
    private static readonly uint[] Table = MakeTable();

    /// <summary>The checksum of what <paramref name="crc"/> covers followed by <paramref name="bytes"/>; starts with 0.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        if (!CanFold || bytes.Length < FoldedBytes) return AppendByTables(crc, bytes);
        int folded = bytes.Length & ~(BlockBytes - 1);
        return AppendByTables(~Fold(~crc, bytes[..folded]), bytes[folded..]);
    }

    /// <summary>The same by tables alone.</summary>
    public static uint AppendByTables(uint crc, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<uint> table = Table;
        crc = ~crc;
        while (bytes.Length >= Lanes)
        {
            uint low = crc ^ System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            crc = table[(7 << 8) + (int)(low & 0xff)] ^ table[(6 << 8) + (int)((low >> 8) & 0xff)]
                ^ table[(5 << 8) + (int)((low >> 16) & 0xff)] ^ table[(4 << 8) + (int)(low >> 24)]
                ^ table[(3 << 8) + bytes[4]] ^ table[(2 << 8) + bytes[5]] ^ table[(1 << 8) + bytes[6]] ^ table[bytes[7]];
            bytes = bytes[Lanes..];
        }

        foreach (byte value in bytes) crc = table[(int)((crc ^ value) & 0xff)] ^ (crc >> 8);
        return ~crc;
    }

    /// <summary>Row n has the checksum of each byte followed by n zeros.</summary>
    private static uint[] MakeTable()
    {
        var table = new uint[Lanes << 8];
        for (uint i = 0; i < 256; i++)
        {
            uint crc = i;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xedb88320 : crc >> 1;
            table[i] = crc;
        }

        for (int i = 256; i < table.Length; i++) table[i] = (table[i - 256] >> 8) ^ table[(int)(table[i - 256] & 0xff)];
        return table;
    }
}
