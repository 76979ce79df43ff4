using Bnb.Quant.Search;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>The rounds of <see cref="SearchKernel"/>: which scales are tried, and what of the rest is still open.</summary>
/// <remarks>
/// Open intervals are a stack. A pass takes up to 8 from its top and cuts them into 5 parts or more, so what lies on the stack of
/// one generation but the first is at most the 40 parts of one pass: a second pass of the same generation begins when all that came
/// of the first are gone, or takes them along. A set of at most 2^16 scales is cut up in 7 generations. Hence <see cref="MostOpen"/>.
/// </remarks>
internal static class SearchRounds
{
    private const int Threads = SearchKernel.Threads;
    private const int MostTaken = 8;
    private const int MostOpen = 352;
    private const int MostListed = 64;
    private const int Nothing = -1;

    /// <summary>The best scale of a block whose largest magnitude is within bounds. Every thread of the group calls it and gets it.</summary>
    public static SearchChoice Find<TTable, TSet>(
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
                choice = SearchDecision.Compare<TTable, TSet>(choice, block, origin, dynamic, listed, listedError, list, limit, sums);
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

        choice = SearchDecision.Compare<TTable, TSet>(choice, block, origin, dynamic, listed, listedError, list, best * shape.Slack + shape.Floor, sums);
        return TSet.Refines && choice.Index >= 0 ? SearchDecision.Refine<TTable>(choice, block, absmax * shape.Largest, sums) : choice;
    }

    /// <summary>No scale between two has a smaller error, rounding apart: see <see cref="BlockSearch{TTable, TKernel, TSet}"/>.</summary>
    private static float Bound(float width, float square, float first, float second)
    {
        float difference = Math.Abs(second - first), bow = Math.Max(Math.Max(square * width * width, difference), 1e-30f);
        return 0.5f * (first + second) - 0.25f * (bow + difference * difference / bow);
    }
}
