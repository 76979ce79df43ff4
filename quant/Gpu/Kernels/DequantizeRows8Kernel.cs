using Bnb.Quant.Int8;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <see cref="DequantizeRows8"/>: value = (code * absmax of its row) * 1/127, rounded to the stored format. A thread reads 8
/// codes in one access and writes 8 values in one or two; where a row ends among them, the rest divide for their row. No
/// shared memory. Grid: ceil(units / group), a unit being 8 values; source, scales and destination are padded to whole units.
/// Exact: two products; the rounding is integer arithmetic.
/// </summary>
internal static class DequantizeRows8Kernel
{
    /// <summary>Values of a thread.</summary>
    public const int Unit = 8;

    /// <param name="codes">One byte per value, rows after each other.</param>
    /// <param name="absmax">One per row.</param>
    /// <param name="destination">One value per code.</param>
    /// <param name="units">Values / 8, rounded up.</param>
    /// <param name="columns">Values of a row.</param>
    public static void Run<TStored>(
        ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<Quad> destination, int units, int columns)
        where TStored : struct, IStored
    {
        int unit = Grid.IdxX * Group.DimX + Group.IdxX;
        if (unit >= units) return;

        destination = destination.AsAligned(16);
        int first = unit * Unit, row = (int)((uint)first / (uint)columns), left = columns - (first - row * columns);
        Quad loaded = Weights8.Load8(codes, first);
        float scale = absmax[row];
        float s1 = scale, s2 = scale, s3 = scale, s4 = scale, s5 = scale, s6 = scale, s7 = scale;
        if (left < Unit)
        {
            s1 = absmax[RowOf(first + 1, columns)];
            s2 = absmax[RowOf(first + 2, columns)];
            s3 = absmax[RowOf(first + 3, columns)];
            s4 = absmax[RowOf(first + 4, columns)];
            s5 = absmax[RowOf(first + 5, columns)];
            s6 = absmax[RowOf(first + 6, columns)];
            s7 = absmax[RowOf(first + 7, columns)];
        }

        int v0 = Word<TStored>(loaded, 0, scale), v1 = Word<TStored>(loaded, 1, s1);
        int v2 = Word<TStored>(loaded, 2, s2), v3 = Word<TStored>(loaded, 3, s3);
        int v4 = Word<TStored>(loaded, 4, s4), v5 = Word<TStored>(loaded, 5, s5);
        int v6 = Word<TStored>(loaded, 6, s6), v7 = Word<TStored>(loaded, 7, s7);
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

    private static int RowOf(int value, int columns) => (int)((uint)value / (uint)columns);

    private static int Word<TStored>(Quad codes, int place, float scale)
        where TStored : struct, IStored => TStored.ToBits(Weights8.Of(Weights8.Code(codes, place), scale));
}
