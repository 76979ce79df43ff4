using Bnb.Quant.Fp8;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <see cref="QuantizeFp8Rows"/>: the scale of a row and the codes. One group per row, whose threads stride over it twice; the
/// second time it comes from the cache. Shared memory: one word per thread for the maximum. Grid: one group per row.
/// Exact: IEEE divisions, each followed by integer rounding, and one sum of two powers' worth of bits; no product, so nothing can
/// be fused.
/// </summary>
internal static class QuantizeFp8RowsKernel
{
    public const int LargestGroup = 256;

    private const int CanonicalNaN = 0x7FC0_0000;

    /// <param name="source">Rows of stored values.</param>
    /// <param name="codes">One per value.</param>
    /// <param name="scales">One value of the type per row.</param>
    /// <param name="nonFinite">One word, set to 1 when a value is not finite.</param>
    /// <param name="columns">Values of a row.</param>
    public static void Run<TStored>(
        ArrayView<byte> source, ArrayView<byte> codes, ArrayView<byte> scales, ArrayView<int> nonFinite, int columns)
        where TStored : struct, IStored
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(LargestGroup);
        long first = (long)Grid.IdxX * columns;
        int largest = 0;
        for (int i = Group.IdxX; i < columns; i += Group.DimX)
        {
            // A NaN is above all numbers and stays.
            largest = Math.Max(largest, Bits.Of(TStored.At(source, first + i)) & Magnitudes.Mask);
        }

        largest = SharedMax.Of(largest, Group.DimX, shared);
        float scale = TStored.Rounded(Bits.ToSingle(largest) / E4M3.Largest);
        if ((Bits.Of(scale) & Magnitudes.Mask) == 0) scale = TStored.Epsilon;
        if ((Bits.Of(scale) & Magnitudes.Mask) > Magnitudes.Infinity) scale = Bits.ToSingle(CanonicalNaN);
        if (Group.IdxX == 0)
        {
            if (largest >= Magnitudes.Infinity) nonFinite[0] = 1;
            TStored.Put(scales, Grid.IdxX, TStored.ToBits(scale));
        }

        for (int i = Group.IdxX; i < columns; i += Group.DimX)
        {
            codes[first + i] = (byte)Fp8Rounding.ToE4M3(TStored.Rounded(TStored.At(source, first + i) / scale));
        }
    }
}
