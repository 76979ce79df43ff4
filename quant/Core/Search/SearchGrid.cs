namespace Bnb.Quant.Search;

/// <summary>Where a search looks first: scales in multiples of the block's largest magnitude. Close where the best one usually
/// is, wide apart elsewhere; the places only decide how long it takes.</summary>
internal static class SearchGrid<TTable>
    where TTable : struct, ISearchTable
{
    /// <summary>The smallest scale that is searched.</summary>
    public static readonly float Smallest = 1f / (4096f * TTable.Top);

    /// <summary>From a scale near the usual best one upwards, ending with <see cref="ISearchTable.Largest"/>.</summary>
    public static readonly float[] Up = CreateUp();

    /// <summary>From just below the first of <see cref="Up"/> downwards, ending with <see cref="Smallest"/>.</summary>
    public static readonly float[] Down = CreateDown();

    /// <summary>Above this multiple it pays to ask whether what becomes 0 alone costs too much.</summary>
    public static readonly float LostFrom = 2.6f / TTable.Top;

    /// <summary>Below this multiple it pays to ask whether cutting off alone costs too much.</summary>
    public static readonly float ClippedFrom = 0.8f / TTable.Top;

    private const float Start = 0.95f;

    private static float[] CreateUp()
    {
        var multiples = new List<float>();
        for (float multiple = Start; multiple / TTable.Top < TTable.Largest; multiple *= 1f + (0.13f * MathF.Max(1f, MathF.Min(multiple, 10f))))
        {
            multiples.Add(multiple / TTable.Top);
        }

        multiples.Add(TTable.Largest);
        return [.. multiples];
    }

    private static float[] CreateDown()
    {
        var multiples = new List<float>();
        for (float multiple = Start / 1.13f; multiple / TTable.Top > Smallest; multiple /= multiple > 0.5f ? 1.13f : 1.3f)
        {
            multiples.Add(multiple / TTable.Top);
        }

        multiples.Add(Smallest);
        return [.. multiples];
    }
}
