using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <c>DequantizeGroups4</c>: value = R((code - 8 - zero point) * scale), R = rounding to the scales' type, rounded once more
/// to the stored format. A thread reads one word of 8 codes and writes 8 values in one or two 16-byte accesses. No shared
/// memory. Grid: ceil(units / group), a unit being 8 values. Exact: one multiplication, and integer rounding.
/// </summary>
internal static class DequantizeGroups4Kernel
{
    /// <summary>Values of a thread.</summary>
    public const int Unit = 8;

    /// <param name="packed">One word per unit.</param>
    /// <param name="scales">One value of the scales' type per group.</param>
    /// <param name="zeroPoints">One byte per group; not read when there are none.</param>
    /// <param name="destination">One value per code, padded to whole units.</param>
    /// <param name="units">How many units.</param>
    /// <param name="unitsPerGroup">Units of a group of values.</param>
    /// <param name="hasZeroPoints">1 or 0.</param>
    public static void Run<TScale, TStored>(
        ArrayView<int> packed,
        ArrayView<byte> scales,
        ArrayView<byte> zeroPoints,
        ArrayView<Quad> destination,
        int units,
        int unitsPerGroup,
        int hasZeroPoints)
        where TScale : struct, IStored
        where TStored : struct, IStored
    {
        int unit = Grid.IdxX * Group.DimX + Group.IdxX;
        if (unit >= units) return;
        destination = destination.AsAligned(16);
        int group = (int)((uint)unit / (uint)unitsPerGroup), codes = packed[unit];
        int offset = 8;
        if (hasZeroPoints != 0) offset += ((int)zeroPoints[group] << 24) >> 24;
        float scale = TScale.At(scales, group);
        int v0 = Word<TScale, TStored>(codes, offset, scale), v1 = Word<TScale, TStored>(codes >> 4, offset, scale);
        int v2 = Word<TScale, TStored>(codes >> 8, offset, scale), v3 = Word<TScale, TStored>(codes >> 12, offset, scale);
        int v4 = Word<TScale, TStored>(codes >> 16, offset, scale), v5 = Word<TScale, TStored>(codes >> 20, offset, scale);
        int v6 = Word<TScale, TStored>(codes >> 24, offset, scale), v7 = Word<TScale, TStored>(codes >> 28, offset, scale);
        if (TStored.Quads == 4)
        {
            destination[2 * unit] = new Quad { A = v0, B = v1, C = v2, D = v3 };
            destination[2 * unit + 1] = new Quad { A = v4, B = v5, C = v6, D = v7 };
        }
        else
        {
            destination[unit] = new Quad { A = v0 | (v1 << 16), B = v2 | (v3 << 16), C = v4 | (v5 << 16), D = v6 | (v7 << 16) };
        }
    }

    private static int Word<TScale, TStored>(int code, int offset, float scale)
        where TScale : struct, IStored
        where TStored : struct, IStored => TStored.ToBits(TScale.Rounded(((code & 15) - offset) * scale));
}
