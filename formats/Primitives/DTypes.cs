using System.Text;

namespace Bnb.Formats.Primitives;

/// <summary>Size and spelling of each <see cref="DType"/>; one row per kind, in the order of the enum.</summary>
public static class DTypes
{
    private static readonly Row[] Rows =
    [
        new(DType.Bool, "BOOL", 8),
        new(DType.U8, "U8", 8),
        new(DType.I8, "I8", 8),
        new(DType.F8E5M2, "F8_E5M2", 8),
        new(DType.F8E4M3, "F8_E4M3", 8),
        new(DType.F8E8M0, "F8_E8M0", 8),
        new(DType.F8E4M3Fnuz, "F8_E4M3FNUZ", 8),
        new(DType.F8E5M2Fnuz, "F8_E5M2FNUZ", 8),
        new(DType.F4, "F4", 4),
        new(DType.F6E2M3, "F6_E2M3", 6),
        new(DType.F6E3M2, "F6_E3M2", 6),
        new(DType.I16, "I16", 16),
        new(DType.U16, "U16", 16),
        new(DType.F16, "F16", 16),
        new(DType.BF16, "BF16", 16),
        new(DType.I32, "I32", 32),
        new(DType.U32, "U32", 32),
        new(DType.F32, "F32", 32),
        new(DType.C64, "C64", 64),
        new(DType.F64, "F64", 64),
        new(DType.I64, "I64", 64),
        new(DType.U64, "U64", 64),
    ];

    private static readonly byte[][] Utf8Names = Array.ConvertAll(Rows, static row => Encoding.ASCII.GetBytes(row.Name));

    /// <summary>Every known kind.</summary>
    public static IReadOnlyList<DType> All { get; } = Array.ConvertAll(Rows, static row => row.DType);

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

    /// <summary>A class, since arrays of tuples make the runtime compile what handles them in every process.</summary>
    private sealed class Row(DType type, string name, int bitSize)
    {
        public DType DType => type;

        public string Name => name;

        public int BitSize => bitSize;
    }
}
