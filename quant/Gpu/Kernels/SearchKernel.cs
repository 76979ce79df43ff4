using Bnb.Quant.Search;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The best scale of a block and its codes: <see cref="BlockSearchReference{TTable, TSet}"/>, by branch and bound as
/// <see cref="BlockSearch{TTable, TKernel, TSet}"/>, a scale in each thread where that has one in each lane of a vector. One
/// group of 32 threads per block; all branches but those around sums and stores are uniform. Shared memory: 8.8 KiB, for open
/// intervals, points and candidates.
/// Exact: what float32 cannot tell apart, with the CPU's margins, is compared by the float64 sums of <see cref="SearchSums{TTable}"/>.
/// </summary>
internal static class SearchKernel
{
    /// <summary>Threads of a group: scales that are looked at together.</summary>
    public const int Threads = 32;

    private const int Nothing = -1;
    private const int NestedBlocks = 256;

    /// <param name="x">What <see cref="SearchValuesKernel"/> wrote.</param>
    /// <param name="weights">What <see cref="SearchWeightsKernel"/> wrote; anything without weights.</param>
    /// <param name="absmax">One per block.</param>
    /// <param name="starts">32 multiples of absmax, what is looked at first; ascending for each sign, from 0 to infinity.</param>
    /// <param name="dynamic">The 256 values of nested codes.</param>
    /// <param name="buckets">The 32 of a 4-bit type.</param>
    /// <param name="values">The 16 of a 4-bit type.</param>
    /// <param name="scales">One per block, written.</param>
    /// <param name="nested">One per 256 blocks, written where scales are nested.</param>
    /// <param name="packed">Written.</param>
    /// <param name="shape">Sizes and limits.</param>
    public static void Run<TTable, TSet>(
        ArrayView<float> x,
        ArrayView<float> weights,
        ArrayView<float> absmax,
        ArrayView<float> starts,
        ArrayView<float> dynamic,
        ArrayView<long> buckets,
        ArrayView<float> values,
        ArrayView<byte> scales,
        ArrayView<float> nested,
        ArrayView<byte> packed,
        SearchShape shape)
        where TTable : struct, ISearchedTable
        where TSet : struct, ISearchedScales
    {
        ArrayView<long> table = SharedMemory.Allocate<long>(32);
        ArrayView<float> map = SharedMemory.Allocate<float>(16);
        int lane = Group.IdxX, number = Grid.IdxX;
        table[lane] = buckets[lane];
        if (lane < 16) map[lane] = values[lane];
        ScaleOrigin origin = default;
        float largest = absmax[number], most = largest;
        if (TSet.IsNested)
        {
            most = LargestOfGroup(absmax, number, shape.Blocks);
            origin = SearchedNested.Of(dynamic, most);
            if (lane == 0 && number % NestedBlocks == 0) nested[number / NestedBlocks] = most;
        }

        Group.Barrier();
        // With such values nothing is defined; only the kernel must end.
        if ((Bits.Of(most) & Magnitudes.Mask) >= Magnitudes.Infinity) return;

        var block = new SearchBlock
        {
            X = x.Cast<Quad>().AsAligned(16),
            W = weights.Cast<Quad>().AsAligned(16),
            Values = x,
            Weights = weights,
            Buckets = table,
            Map = map,
            First = number * shape.Stride,
            Stride = shape.Stride,
            Weighted = shape.Weighted,
            Zero = shape.Zero,
        };
        SearchChoice choice = SearchChoice.None;
        // 2^-100 to 2^100.
        if (largest >= 7.8886090e-31f && largest <= 1.2676506e30f) choice = SearchRounds.Find<TTable, TSet>(block, origin, dynamic, starts, largest, shape);
        if (choice.Index == Nothing)
        {
            choice.Scale = TSet.Plain(origin, dynamic, largest);
            if (TSet.IsNested && choice.Scale != 0f) choice.Index = TSet.Floor(origin, dynamic, largest, false);
        }

        if (lane == 0) TSet.Put(scales, number, origin, choice.Scale, choice.Index, choice.Negative != 0);
        Write<TTable>(block, packed, number, choice.Scale, shape);
    }

    private static float LargestOfGroup(ArrayView<float> absmax, int number, int blocks)
    {
        ArrayView<int> shared = SharedMemory.Allocate<int>(Threads);
        int first = number / NestedBlocks * NestedBlocks, end = Math.Min(first + NestedBlocks, blocks), most = 0;
        for (int i = first + Group.IdxX; i < end; i += Threads) most = Math.Max(most, Bits.Of(absmax[i]) & Magnitudes.Mask);
        return Bits.ToSingle(SharedMax.Of(most, Threads, shared));
    }

    /// <summary>The codes under a scale, as <see cref="LoadedBlock{TTable}.Encode"/>; all 0 under 0.</summary>
    private static void Write<TTable>(SearchBlock block, ArrayView<byte> packed, int number, float scale, SearchShape shape)
        where TTable : struct, ISearchedTable
    {
        int valid = Math.Min(shape.Blocksize, shape.Count - number * shape.Blocksize), each = TTable.CodesPerByte;
        int bytes = each == 2 ? (valid + 1) >> 1 : valid, first = each == 2 ? number * (shape.Blocksize >> 1) : number * shape.Blocksize;
        float reciprocal = 1f / scale;
        for (int i = Group.IdxX; i < bytes; i += Threads)
        {
            int code = 0;
            if (scale != 0f)
            {
                int place = block.First + i * each;
                code = TTable.Code(DeviceBlockScale.Apply(block.Values[place], scale, reciprocal), block.Buckets);
                if (each == 2)
                {
                    code = TTable.Pack(code, TTable.Code(DeviceBlockScale.Apply(block.Values[place + 1], scale, reciprocal), block.Buckets));
                }
            }

            packed[first + i] = (byte)code;
        }
    }
}
