namespace Bnb.Quant.Search;

/// <summary>Where a search looks first: scales in multiples of the block's largest magnitude, from the largest down to
/// <see cref="Smallest"/>. Close where the best one usually is, wide apart elsewhere; the places only decide how long it takes.</summary>
internal static class SearchGrid<TTable>
    where TTable : struct, ISearchTable
{
    /// <summary>The smallest scale that is searched.</summary>
    public static readonly float Smallest = 1f / (4096f * TTable.Top);

    /// <summary>Below this multiple it pays to ask whether cutting off alone costs too much.</summary>
    public static readonly float ClipFrom = 0.85f / TTable.Top;

    /// <summary>Descending; the first is <see cref="ISearchTable.Largest"/>, the last <see cref="Smallest"/>.</summary>
    public static readonly float[] Multiples = Create();

    private static float[] Create()
    {
        const float usual = 1.5f;
        var multiples = new List<float> { TTable.Largest };
        var above = new List<float>();
        for (float multiple = usual; multiple / TTable.Top < TTable.Largest; multiple *= 1f + (0.08f * MathF.Min(multiple, 10f)))
        {
            above.Add(multiple / TTable.Top);
        }

        above.Reverse();
        multiples.AddRange(above);
        for (float multiple = usual / 1.09f; multiple / TTable.Top > Smallest; multiple /= multiple > 0.5f ? 1.09f : 1.25f)
        {
            if (multiple / TTable.Top < TTable.Largest) multiples.Add(multiple / TTable.Top);
        }

        multiples.Add(Smallest);
        return [.. multiples];
    }
}
