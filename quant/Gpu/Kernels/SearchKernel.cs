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
/// <remarks>
/// Open intervals are a stack. A pass takes up to 8 from its top and cuts them into 5 parts or more, so what lies on the stack of
/// one generation but the first is at most the 40 parts of one pass: a second pass of the same generation begins when all that came
/// of the first are gone, or takes them along. A set of at most 2^16 scales is cut up in 7 generations. Hence <see cref="MostOpen"/>.
/// </remarks>
internal static class SearchKernel
{
    /// <summary>Threads of a group: scales that are looked at together.</summary>
    public const int Threads = 32;

    private const int MostTaken = 8;
    private const int MostOpen = 352;
    private const int MostListed = 64;

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
        if (largest >= 7.8886090e-31f && largest <= 1.2676506e30f) choice = Find<TTable, TSet>(block, origin, dynamic, starts, largest, shape);
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

    private static SearchChoice Find<TTable, TSet>(
        SearchBlock block, ScaleOrigin origin, ArrayView<float> dynamic, ArrayView<float> starts, float absmax, SearchShape shape)
        where TTable : struct, ISearchedTable
        where TSet : struct, ISearchedScales
    {
        // Points of a pass: where a thread's is, and what it is like.
        ArrayView<int> pointIndex = SharedMemory.Allocate<int>(Threads);
        ArrayView<float> pointError = SharedMemory.Allocate<float>(Threads);
        ArrayView<float> pointSquare = SharedMemory.Allocate<float>(Threads);
        ArrayView<int> counts = SharedMemory.Allocate<int>(Threads);
        // Open intervals: twice the index of the end with the smaller magnitude, plus 1 where scales are negative.
        ArrayView<int> openNear = SharedMemory.Allocate<int>(MostOpen);
        ArrayView<int> openFar = SharedMemory.Allocate<int>(MostOpen);
        ArrayView<float> openNearError = SharedMemory.Allocate<float>(MostOpen);
        ArrayView<float> openFarError = SharedMemory.Allocate<float>(MostOpen);
        ArrayView<float> openSquare = SharedMemory.Allocate<float>(MostOpen);
        // Scales that may be the best.
        ArrayView<int> listed = SharedMemory.Allocate<int>(MostListed);
        ArrayView<float> listedError = SharedMemory.Allocate<float>(MostListed);
        ArrayView<double> sums = SharedMemory.Allocate<double>(Threads);

        int lane = Group.IdxX, open = 0, list = 0;
        float inverse = 1f / absmax, best = Bits.ToSingle(Magnitudes.Infinity);
        SearchChoice choice = SearchChoice.None;
        bool first = true;
        while (first || open > 0)
        {
            // This thread's point, and the interval that it cuts; negative where it has none.
            int negative, index = Nothing, near = 0, far = 0, cuts = 0, cut = 0;
            float nearError = 0f, farError = 0f, nearSquare = 0f;
            if (first)
            {
                int half = TTable.Mirrored ? Threads : Threads / 2;
                negative = lane / half;
                cut = lane % half;
                if (TSet.Count(origin, negative != 0) > 0)
                {
                    int low = TSet.Floor(origin, dynamic, (double)absmax * shape.Smallest, negative != 0);
                    int high = Math.Max(low, TSet.Floor(origin, dynamic, (double)absmax * shape.Largest, negative != 0));
                    index = cut == 0 ? low : high;
                    if (cut > 0 && cut < half - 1)
                    {
                        index = Math.Min(high, Math.Max(low, TSet.Floor(origin, dynamic, absmax * starts[lane], negative != 0)));
                    }
                }
            }
            else
            {
                int taken = open >= MostTaken ? MostTaken : open >= 4 ? 4 : open >= 2 ? 2 : 1, parts = Threads / taken;
                open -= taken;
                int place = open + lane / parts;
                near = openNear[place];
                negative = near & 1;
                near >>= 1;
                far = openFar[place];
                nearError = openNearError[place];
                farError = openFarError[place];
                nearSquare = openSquare[place];
                cut = lane % parts;
                cuts = Math.Min(parts, far - near - 1);
                // What was open may no longer be.
                float width = TSet.At(origin, dynamic, far, negative != 0) - TSet.At(origin, dynamic, near, negative != 0);
                bool isOpen = Bound(width * inverse, nearSquare, nearError, farError) < best * shape.Slack + shape.Floor;
                if (isOpen && cut < cuts) index = near + (far - near) * (cut + 1) / (cuts + 1);
            }

            float magnitude = 0f;
            SearchPoint point = default;
            point.Error = Bits.ToSingle(Magnitudes.Infinity);
            if (index >= 0)
            {
                magnitude = TSet.At(origin, dynamic, index, negative != 0);
                float scale = negative != 0 ? -magnitude : magnitude, ratio = scale * inverse;
                point = SearchSums<TTable>.Estimate(block, 1f / scale);
                point.Error *= ratio * ratio;
            }

            pointIndex[lane] = index;
            pointError[lane] = point.Error;
            pointSquare[lane] = point.Square;
            Group.Barrier();

            for (int i = 0; i < Threads; i++)
            {
                float error = pointError[i];
                if (error < best) best = error;
            }

            float limit = best * shape.Slack + shape.Floor;
            bool isCandidate = point.Error < limit;
            bool before = false, after = false;
            if (index >= 0)
            {
                if (cut > 0)
                {
                    near = pointIndex[lane - 1];
                    nearError = pointError[lane - 1];
                    nearSquare = pointSquare[lane - 1];
                }

                if (!first || cut > 0)
                {
                    float width = magnitude - TSet.At(origin, dynamic, near, negative != 0);
                    before = index - near > 1 && Bound(width * inverse, nearSquare, nearError, point.Error) < limit;
                }

                if (!first && cut == cuts - 1)
                {
                    float width = TSet.At(origin, dynamic, far, negative != 0) - magnitude;
                    after = far - index > 1 && Bound(width * inverse, point.Square, point.Error, farError) < limit;
                }
            }

            counts[lane] = (isCandidate ? 1 : 0) | (((before ? 1 : 0) + (after ? 1 : 0)) << 16);
            Group.Barrier();
            int mine = 0, all = 0;
            for (int i = 0; i < Threads; i++)
            {
                int count = counts[i];
                if (i < lane) mine += count;
                all += count;
            }

            if (list + (all & 0xFFFF) > MostListed)
            {
                choice = Compare<TTable, TSet>(choice, block, origin, dynamic, listed, listedError, list, limit, sums);
                list = 0;
            }

            if (isCandidate)
            {
                int place = list + (mine & 0xFFFF);
                listed[place] = index * 2 + negative;
                listedError[place] = point.Error;
            }

            int at = open + (mine >> 16);
            if (before)
            {
                openNear[at] = near * 2 + negative;
                openFar[at] = index;
                openNearError[at] = nearError;
                openFarError[at] = point.Error;
                openSquare[at] = nearSquare;
                at++;
            }

            if (after)
            {
                openNear[at] = index * 2 + negative;
                openFar[at] = far;
                openNearError[at] = point.Error;
                openFarError[at] = farError;
                openSquare[at] = point.Square;
            }

            list += all & 0xFFFF;
            open += all >> 16;
            first = false;
            Group.Barrier();
        }

        choice = Compare<TTable, TSet>(choice, block, origin, dynamic, listed, listedError, list, best * shape.Slack + shape.Floor, sums);
        return TSet.Refines && choice.Index >= 0 ? Refine<TTable>(choice, block, absmax * shape.Largest, sums) : choice;
    }

    /// <summary>No scale between two has a smaller error, rounding apart: see <see cref="BlockSearch{TTable, TKernel, TSet}"/>.</summary>
    private static float Bound(float width, float square, float first, float second)
    {
        float difference = Math.Abs(second - first), bow = Math.Max(Math.Max(square * width * width, difference), 1e-30f);
        return 0.5f * (first + second) - 0.25f * (bow + difference * difference / bow);
    }

    /// <summary>The best of a choice and of the scales of a list that are below the limit, by the sums that decide: four at a
    /// time.</summary>
    private static SearchChoice Compare<TTable, TSet>(
        SearchChoice choice,
        SearchBlock block,
        ScaleOrigin origin,
        ArrayView<float> dynamic,
        ArrayView<int> listed,
        ArrayView<float> listedError,
        int list,
        float limit,
        ArrayView<double> sums)
        where TTable : struct, ISearchedTable
        where TSet : struct, ISearchedScales
    {
        int lane = Group.IdxX;
        for (int four = 0; four < list; four += 4)
        {
            int place = four + (lane >> 3);
            double sum = 0;
            if (place < list && listedError[place] < limit)
            {
                int word = listed[place];
                float magnitude = TSet.At(origin, dynamic, word >> 1, (word & 1) != 0);
                sum = SearchSums<TTable>.Error(block, (word & 1) != 0 ? -magnitude : magnitude, lane & 7);
            }

            sums[lane] = sum;
            Group.Barrier();
            for (int i = 0; i < 4; i++)
            {
                if (four + i < list && listedError[four + i] < limit)
                {
                    int word = listed[four + i];
                    float magnitude = TSet.At(origin, dynamic, word >> 1, (word & 1) != 0);
                    choice = choice.Or(Total(sums, 8 * i), word >> 1, word & 1, (word & 1) != 0 ? -magnitude : magnitude);
                }
            }

            Group.Barrier();
        }

        return choice;
    }

    /// <summary>The number nearest to the least-squares scale of the best one's values, where its own codes leave a smaller
    /// error.</summary>
    private static SearchChoice Refine<TTable>(SearchChoice choice, SearchBlock block, float largest, ArrayView<double> sums)
        where TTable : struct, ISearchedTable
    {
        int lane = Group.IdxX;
        if (lane < 16) sums[lane] = SearchSums<TTable>.LeastSquares(block, choice.Scale, lane & 7, squares: lane >= 8);
        Group.Barrier();
        float refined = (float)(Total(sums, 0) / Total(sums, 8));
        Group.Barrier();
        int bits = Bits.Of(refined), magnitude = bits & Magnitudes.Mask;
        bool isNormal = magnitude >= 0x0080_0000 && magnitude < Magnitudes.Infinity;
        if (!isNormal || (bits < 0) != (choice.Negative != 0) || Bits.ToSingle(magnitude) > largest) return choice;
        if (lane < 8) sums[lane] = SearchSums<TTable>.Error(block, refined, lane);
        Group.Barrier();
        double error = Total(sums, 0);
        if (error < choice.Error)
        {
            choice.Error = error;
            choice.Scale = refined;
        }

        return choice;
    }

    /// <summary>Eight running sums in the order of <see cref="BlockError"/>.</summary>
    private static double Total(ArrayView<double> sums, int first) =>
        sums[first] + sums[first + 4] + (sums[first + 1] + sums[first + 5])
        + (sums[first + 2] + sums[first + 6] + (sums[first + 3] + sums[first + 7]));

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

/// <summary><see cref="ScaleChoice"/> in kernels.</summary>
internal struct SearchChoice
{
    public double Error;
    public int Index;
    public int Negative;
    public float Scale;

    /// <summary>No scale yet.</summary>
    public static SearchChoice None => new() { Index = -1 };

    /// <summary>This, or another scale if that is better: the smaller error, of equal ones the positive scale, then the smaller
    /// one.</summary>
    public readonly SearchChoice Or(double error, int index, int negative, float scale)
    {
        bool better = Index < 0 || error < Error
            || (error == Error && (negative != Negative ? negative == 0 : index < Index));
        SearchChoice result = this;
        if (!better) return result;
        result.Error = error;
        result.Index = index;
        result.Negative = negative;
        result.Scale = scale;
        return result;
    }
}
