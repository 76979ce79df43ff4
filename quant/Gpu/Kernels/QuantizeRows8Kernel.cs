using Bnb.Quant.Int8;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <see cref="QuantizeRows8"/>: values rounded to binary16, absmax per row, codes. One group per row, whose threads stride
/// over it twice; the second time it comes from the cache. Shared memory: one word per thread for the maximum.
/// Exact: the product passes through an exclusive-or with a zero that the compiler does not know, so that it cannot be fused
/// with the subtraction that rounds it.
/// </summary>
internal static class QuantizeRows8Kernel
{
    public const int LargestGroup = 256;

    /// <param name="source">Rows of stored values.</param>
    /// <param name="codes">One per value.</param>
    /// <param name="absmax">One per row.</param>
    /// <param name="nonFinite">One word, set to 1 when a value is not finite as binary16.</param>
    /// <param name="columns">Values of a row.</param>
    /// <param name="zero">0.</param>
    public static void Run<TStored>(
        ArrayView<byte> source, ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<int> nonFinite, int columns, int zero)
        where TStored : struct, IStored
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(LargestGroup);
        long first = (long)Grid.IdxX * columns;
        int largest = 0;
        for (int i = Group.IdxX; i < columns; i += Group.DimX)
        {
            int bits = Bits.Of(HalfAt<TStored>(source, first + i));
            if ((bits & Magnitudes.Mask) >= Magnitudes.Infinity) nonFinite[0] = 1;
            largest = Math.Max(largest, Magnitudes.Number(bits));
        }

        largest = SharedMax.Of(largest, Group.DimX, shared);
        float row = Bits.ToSingle(largest), scale = 1f / row * 127f;
        if (Group.IdxX == 0) absmax[Grid.IdxX] = row;
        for (int i = Group.IdxX; i < columns; i += Group.DimX)
        {
            float product = HalfAt<TStored>(source, first + i) * scale;
            int bits = Bits.Of(product) ^ zero;
            bool isNaN = (bits & Magnitudes.Mask) > Magnitudes.Infinity;
            codes[first + i] = (byte)(isNaN ? 0 : Rounding.ToNearest(Bits.ToSingle(bits)));
        }
    }

    private static float HalfAt<TStored>(ArrayView<byte> source, long index)
        where TStored : struct, IStored => StoredF16.FromBits(Rounding.ToF16(TStored.At(source, index)));
}
