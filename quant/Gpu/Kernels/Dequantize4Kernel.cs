using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// value = quant_map[code] * absmax, rounded to the stored format. A thread reads one word of 8 codes and writes 8 values in
/// one or two 16-byte accesses. Shared memory: the 16 values of the code. Grid: ceil(units / group), a unit being 8 values;
/// source and destination are padded to whole units. Exact: one multiplication; the rounding is integer arithmetic.
/// </summary>
internal static class Dequantize4Kernel
{
    /// <summary>Values of a thread.</summary>
    public const int Unit = 8;

    public static void Run<TStored>(
        ArrayView<int> packed,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<Quad> destination,
        int units,
        int blockShift)
        where TStored : struct, IStored
    {
        ArrayView<float> values = SharedMemory.Allocate<float>(16);
        for (int i = Group.IdxX; i < 16; i += Group.DimX) values[i] = map[i];
        Group.Barrier();
        int unit = Grid.IdxX * Group.DimX + Group.IdxX;
        if (unit >= units) return;

        destination = destination.AsAligned(16);
        int codes = packed[unit];
        float scale = absmax[(unit * Unit) >> blockShift];
        int v0 = Word<TStored>(values, codes >> 4, scale), v1 = Word<TStored>(values, codes, scale);
        int v2 = Word<TStored>(values, codes >> 12, scale), v3 = Word<TStored>(values, codes >> 8, scale);
        int v4 = Word<TStored>(values, codes >> 20, scale), v5 = Word<TStored>(values, codes >> 16, scale);
        int v6 = Word<TStored>(values, codes >> 28, scale), v7 = Word<TStored>(values, codes >> 24, scale);
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

    private static int Word<TStored>(ArrayView<float> values, int code, float scale)
        where TStored : struct, IStored => TStored.ToBits(values[code & 15] * scale);
}
