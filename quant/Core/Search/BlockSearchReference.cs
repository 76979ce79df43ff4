namespace Bnb.Quant.Search;

/// <summary>
/// What the best scale of a block is: the definition, by trying everything. A scale s gives every value the table's choice
/// for x * (1/s); the error is <see cref="BlockError.Of"/>. Candidates lie between absmax / (4096 Top) and Largest * absmax,
/// for either sign unless the table is mirrored. In a set that is not dense they are all scales there. In a dense one they are
/// one for each choice of values that some scale makes: the number of the set nearest to its least-squares scale, if that
/// number makes the same choice (otherwise another choice is better), and the two ends. Slow and obvious on purpose.
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
            if (TSet.Dense)
            {
                TryChoices(set, x, weights, low, high, negative, ref best);
                // The ends cut their choices off: these can be best although their least-squares scale lies beyond.
                TryAll(set, x, weights, low, low, negative, ref best);
                TryAll(set, x, weights, high, high, negative, ref best);
            }
            else TryAll(set, x, weights, low, high, negative, ref best);
        }

        return best;
    }

    private static void TryAll(
        TSet set, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, int low, int high, bool negative, ref ScaleChoice best)
    {
        var values = new float[x.Length];
        for (int index = low; index <= high; index++)
        {
            Decode(set, index, negative, x, values);
            Keep(set, index, negative, x, weights, values, ref best);
        }
    }

    private static void TryChoices(
        TSet set, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, int low, int high, bool negative, ref ScaleChoice best)
    {
        var starts = new SortedSet<int> { low };
        foreach (float value in x) AddChanges(set, value, low, high, negative, starts);
        int[] cells = [.. starts, high + 1];
        float[] values = new float[x.Length], again = new float[x.Length];
        for (int cell = 0; cell + 1 < cells.Length; cell++)
        {
            Decode(set, cells[cell], negative, x, values);
            double scale = BlockError.LeastSquares(x, weights, values);
            if (negative) scale = -scale;
            if (!(scale > 0)) continue;
            int index = BlockSearch<TTable, SearchKernel128, TSet>.NearestIndex(set, scale, negative);
            if (index < cells[cell] || index >= cells[cell + 1]) continue;
            Decode(set, index, negative, x, again);
            Keep(set, index, negative, x, weights, again, ref best);
        }
    }

    /// <summary>Every index at which the choice for one value differs from that at the index before. With a growing scale it
    /// only ever moves towards 0, so equal ends mean that nothing changes between.</summary>
    private static void AddChanges(TSet set, float value, int low, int high, bool negative, SortedSet<int> starts)
    {
        if (Choice(set, value, low, negative) == Choice(set, value, high, negative)) return;
        if (high - low == 1)
        {
            starts.Add(high);
            return;
        }

        int middle = low + ((high - low) / 2);
        AddChanges(set, value, low, middle, negative, starts);
        AddChanges(set, value, middle, high, negative, starts);
    }

    private static void Keep(
        TSet set, int index, bool negative, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float[] values, ref ScaleChoice best)
    {
        float magnitude = set.At(index, negative);
        double error = BlockError.Of(x, weights, values, negative ? -magnitude : magnitude);
        var choice = new ScaleChoice(error, index, negative);
        if (choice.IsBetterThan(best)) best = choice;
    }

    private static void Decode(TSet set, int index, bool negative, ReadOnlySpan<float> x, float[] values)
    {
        for (int i = 0; i < x.Length; i++) values[i] = TTable.ValueOf(Choice(set, x[i], index, negative));
    }

    private static byte Choice(TSet set, float value, int index, bool negative)
    {
        float reciprocal = 1f / set.At(index, negative);
        return TTable.Encode(value * (negative ? -reciprocal : reciprocal));
    }
}
