using System.Text;

namespace Bnb.Formats.Primitives;

/// <summary>Size and spelling of each <see cref="DType"/>; one row per kind, in the order of the enum.</summary>
public static class DTypes
{
    private static readonly (DType DType, string Name, int BitSize)[] Rows =
    [
        (DType.Bool, "BOOL", 8),
        (DType.U8, "U8", 8),
        (DType.I8, "I8", 8),
        (DType.F8E5M2, "F8_E5M2", 8),
        (DType.F8E4M3, "F8_E4M3", 8),
        (DType.F8E8M0, "F8_E8M0", 8),
        (DType.F8E4M3Fnuz, "F8_E4M3FNUZ", 8),
        (DType.F8E5M2Fnuz, "F8_E5M2FNUZ", 8),
        (DType.F4, "F4", 4),
        (DType.F6E2M3, "F6_E2M3", 6),
        (DType.F6E3M2, "F6_E3M2", 6),
        (DType.I16, "I16", 16),
        (DType.U16, "U16", 16),
        (DType.F16, "F16", 16),
        (DType.BF16, "BF16", 16),
        (DType.I32, "I32", 32),
        (DType.U32, "U32", 32),
        (DType.F32, "F32", 32),
        (DType.C64, "C64", 64),
        (DType.F64, "F64", 64),
        (DType.I64, "I64", 64),
        (DType.U64, "U64", 64),
    ];

    private static readonly byte[][] Utf8Names = [.. Rows.Select(row => Encoding.ASCII.GetBytes(row.Name))];

    /// <summary>Every known kind.</summary>
    public static IReadOnlyList<DType> All { get; } = [.. Rows.Select(row => row.DType)];

    /// <summary>Bits of one element: 4, 6, 8, 16, 32 or 64.</summary>
    public static int BitSize(this DType dtype) => Rows[(int)dtype].BitSize;

    /// <summary>The spelling in a safetensors header, for example <c>BF16</c> or <c>F8_E4M3</c>.</summary>
    public static string Name(this DType dtype) => Rows[(int)dtype].Name;

    /// <summary>
    /// Bytes that <paramref name="elementCount"/> elements take.
    /// </summary>
    /// <returns>The count, or null when it is not a whole number of bytes or does not fit 63 bits.</returns>
    public static long? ByteCount(this DType dtype, long elementCount)
    {
        int size = dtype.BitSize();
        (long eights, long rest) = (elementCount / 8, elementCount % 8 * size);
        return rest % 8 == 0 && eights <= (long.MaxValue - (rest / 8)) / size ? (eights * size) + (rest / 8) : null;
    }

    /// <summary>Reads the safetensors spelling; exact, case included.</summary>
    /// <param name="utf8">The unescaped text.</param>
    /// <param name="dtype">The kind when the text is known.</param>
    public static bool TryParse(ReadOnlySpan<byte> utf8, out DType dtype)
    {
        for (int i = 0; i < Utf8Names.Length; i++)
        {
            if (!utf8.SequenceEqual(Utf8Names[i])) continue;
            dtype = Rows[i].DType;
            return true;
        }

        dtype = default;
        return false;
    }
}
