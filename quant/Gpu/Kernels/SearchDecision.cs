using Bnb.Quant.Search;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>What decides a search: the float64 sums of the definition. Every thread of the group calls all of it.</summary>
internal static class SearchDecision
{
    /// <summary>The best of a choice and of the scales of a list that are below the limit, by the sums that decide: four at a
    /// time.</summary>
    public static SearchChoice Compare<TTable, TSet>(
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
    public static SearchChoice Refine<TTable>(SearchChoice choice, SearchBlock block, float largest, ArrayView<double> sums)
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
}
