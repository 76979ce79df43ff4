using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// value = map[code] * absmax of its block, and for nested absmax + offset. A thread per value. Two roundings: between
/// multiplication and addition the bits pass through an exclusive-or with a zero that the compiler does not know, so no
/// backend can fuse them. Exact.
/// </summary>
internal static class Dequantize8Kernel
{
    public static void Run(
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> destination,
        float offset,
        int hasOffset,
        int zero,
        int count,
        int blockShift)
    {
        int i = Grid.IdxX * Group.DimX + Group.IdxX;
        if (i >= count) return;
        float product = map[(int)codes[i]] * absmax[i >> blockShift];
        float rounded = Bits.ToSingle(Bits.Of(product) ^ zero);
        destination[i] = hasOffset != 0 ? rounded + offset : rounded;
    }
}
