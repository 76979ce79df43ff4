using Bnb.Quant.Search;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// Blocks as the search takes them, <see cref="LoadedBlock{TTable}"/>: float32, padded with zeros, and their largest
/// magnitude. One group of 32 threads per block, whose threads stride over it. Shared memory: one word per thread. Exact: bits only.
/// </summary>
internal static class SearchValuesKernel
{
    /// <param name="source">Stored values.</param>
    /// <param name="x">Stride values per block, written.</param>
    /// <param name="absmax">One per block, written; NaN or infinity when it holds one.</param>
    /// <param name="nonFinite">One word, set to 1 when a value is not finite.</param>
    /// <param name="blocksize">Values per block.</param>
    /// <param name="stride">That, rounded up to a multiple of 16.</param>
    /// <param name="count">Values in all blocks.</param>
    /// <param name="half">1 to round to binary16 first, as LLM.int8() does.</param>
    public static void Run<TStored>(
        ArrayView<byte> source, ArrayView<float> x, ArrayView<float> absmax, ArrayView<int> nonFinite, int blocksize, int stride, int count, int half)
        where TStored : struct, IStored
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(SearchKernel.Threads);
        int block = Grid.IdxX, first = block * blocksize, valid = Math.Min(blocksize, count - first), largest = 0;
        for (int i = Group.IdxX; i < stride; i += Group.DimX)
        {
            float value = i < valid ? TStored.At(source, first + i) : 0f;
            if (half != 0) value = StoredF16.FromBits(Rounding.ToF16(value));
            x[block * stride + i] = value;
            largest = Math.Max(largest, Bits.Of(value) & Magnitudes.Mask);
        }

        largest = SharedMax.Of(largest, Group.DimX, shared);
        if (Group.IdxX != 0) return;
        if (largest >= Magnitudes.Infinity) nonFinite[0] = 1;
        absmax[block] = Bits.ToSingle(largest);
    }
}

/// <summary>
/// The weights of the values of blocks, <see cref="ColumnImportance"/>: those of their columns over the block's largest, at
/// least 2^-20; 1 in a block of zero weights. One group of 32 threads per block. Shared memory: one word per thread. Exact: IEEE
/// divisions.
/// </summary>
internal static class SearchWeightsKernel
{
    private const float Least = 9.536743e-7f;

    /// <param name="columns">One per input channel, finite and not negative.</param>
    /// <param name="weights">Stride per block, written; 0 in the padding.</param>
    /// <param name="firstColumn">The channel of the first value.</param>
    /// <param name="blocksize">Values per block.</param>
    /// <param name="stride">That, rounded up to a multiple of 16.</param>
    /// <param name="count">Values in all blocks.</param>
    public static void Run(
        ArrayView<float> columns, ArrayView<float> weights, int firstColumn, int blocksize, int stride, int count)
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(SearchKernel.Threads);
        int block = Grid.IdxX, first = block * blocksize, valid = Math.Min(blocksize, count - first), most = 0;
        // Unsigned, because a signed remainder takes longer.
        uint width = (uint)columns.IntLength;
        for (int i = Group.IdxX; i < valid; i += Group.DimX)
        {
            most = Math.Max(most, Bits.Of(columns[(int)(((uint)firstColumn + (uint)(first + i)) % width)]) & Magnitudes.Mask);
        }

        float largest = Bits.ToSingle(SharedMax.Of(most, Group.DimX, shared));
        for (int i = Group.IdxX; i < stride; i += Group.DimX)
        {
            float weight = 0f;
            if (i < valid)
            {
                float part = columns[(int)(((uint)firstColumn + (uint)(first + i)) % width)] / largest;
                weight = largest == 0f ? 1f : part < Least ? Least : part;
            }

            weights[block * stride + i] = weight;
        }
    }
}
