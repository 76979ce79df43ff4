namespace Bnb.Quant.Search;

/// <summary>
/// What the best scale of a block is: the definition, by trying everything. A scale s gives every value the table's choice
/// for x * (1/s); the error is <see cref="BlockError.Of"/>. Candidates are all scales of the set between absmax / (4096 Top) and
/// Largest * absmax, for either sign unless the table is mirrored. Where the place of a scale holds any float32, the number
/// nearest to the least-squares scale for the best one's values is taken instead if its error is smaller. Slow and obvious
/// on purpose.
/// </summary>
internal static class BlockSearchReference<TTable, TSet>
    where TTable : struct, ISearchTable
    where TSet : IScaleSet
{
    /// <summary>As <see cref="BlockSearch{TTable, TKernel, TSet}.Find"/>.</summary>
    public static ScaleChoice Find(TSet set, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float absmax)
    {
        ScaleChoice best = ScaleChoice.None;
        foreach (bool negative in TTable.Mirrored ? (ReadOnlySpan<bool>)[false] : [false, true])
        {
            if (set.Count(negative) == 0) continue;
            int low = set.Floor((double)absmax * SearchGrid<TTable>.Smallest, negative);
            int high = Math.Max(low, set.Floor((double)absmax * TTable.Largest, negative));
            TryAll(set, x, weights, low, high, negative, ref best);
        }

        return TSet.Refines && best.Index >= 0 ? Refine(x, weights, absmax, best) : best;
    }

    private static ScaleChoice Refine(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float absmax, ScaleChoice best)
    {
        var values = new float[x.Length];
        Decode(best.Scale, x, values);
        float refined = (float)BlockError.LeastSquares(x, weights, values);
        if (!BlockError.IsScale(best, refined, absmax * TTable.Largest)) return best;
        Decode(refined, x, values);
        double error = BlockError.Of(x, weights, values, refined);
        return error < best.Error ? best with { Error = error, Scale = refined } : best;
    }

    private static void TryAll(
        TSet set, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, int low, int high, bool negative, ref ScaleChoice best)
    {
        var values = new float[x.Length];
        for (int index = low; index <= high; index++)
        {
            float scale = negative ? -set.At(index, negative) : set.At(index, negative);
            Decode(scale, x, values);
            var choice = new ScaleChoice(BlockError.Of(x, weights, values, scale), index, negative, scale);
            if (choice.IsBetterThan(best)) best = choice;
        }
    }

    private static void Decode(float scale, ReadOnlySpan<float> x, float[] values)
    {
        float reciprocal = 1f / scale;
        for (int i = 0; i < x.Length; i++) values[i] = TTable.ValueOf(TTable.Encode(x[i] * reciprocal));
    }
}
