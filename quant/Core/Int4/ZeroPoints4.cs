using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int4;

/// <summary>
/// Zero points as stored: int32 words of up to 8 rows each, one word per group. Exact both ways. Source: compressed-tensors
/// 0.18, <c>compressors/pack_quantized/helpers.py pack_to_int32</c> and <c>unpack_from_int32</c> with packed_dim 0.
/// </summary>
public static class ZeroPoints4
{
    /// <summary>Rows of zero points that one word holds.</summary>
    public const int RowsPerWord = 8;

    /// <summary>Packs one stripe of rows: word g holds 8 + the zero point of row r and group g in bits 4r to 4r + 3. The bits
    /// of rows that the last stripe lacks are 0, which is no zero point of 0 but what the library pads with.</summary>
    /// <param name="rows">1 to 8.</param>
    /// <param name="groups">Groups in a row; 0 is allowed.</param>
    /// <param name="zeroPoints">[rows, groups] integers in [-8, 7], row-major.</param>
    /// <param name="packed">One word per group, overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension or a zero point is out of range.</exception>
    public static void Pack(int rows, int groups, ReadOnlySpan<sbyte> zeroPoints, Span<int> packed)
    {
        Check(rows, groups, zeroPoints.Length, packed.Length);
        packed.Clear();
        for (int row = 0; row < rows; row++)
        {
            for (int group = 0; group < groups; group++)
            {
                sbyte zero = zeroPoints[row * groups + group];
                if (zero is < -8 or > 7)
                {
                    throw new ArgumentOutOfRangeException(nameof(zeroPoints), zero, "must be from -8 to 7");
                }

                packed[group] |= (8 + zero) << (4 * row);
            }
        }
    }

    /// <summary>The inverse. Bits of rows beyond <paramref name="rows"/> are ignored.</summary>
    /// <param name="rows">1 to 8.</param>
    /// <param name="groups">Groups in a row; 0 is allowed.</param>
    /// <param name="packed">One word per group.</param>
    /// <param name="zeroPoints">[rows, groups] integers in [-8, 7], row-major, overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is out of range.</exception>
    public static void Unpack(int rows, int groups, ReadOnlySpan<int> packed, Span<sbyte> zeroPoints)
    {
        Check(rows, groups, zeroPoints.Length, packed.Length);
        for (int row = 0; row < rows; row++)
        {
            for (int group = 0; group < groups; group++)
            {
                zeroPoints[row * groups + group] = (sbyte)(((packed[group] >> (4 * row)) & 0xF) - 8);
            }
        }
    }

    private static void Check(int rows, int groups, int zeroPoints, int packed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, RowsPerWord);
        ArgumentOutOfRangeException.ThrowIfNegative(groups);
        BlockGrid.CheckLength(nameof(zeroPoints), (long)rows * groups, zeroPoints);
        BlockGrid.CheckLength(nameof(packed), groups, packed);
    }
}
