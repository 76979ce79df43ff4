namespace Bnb.Quant.Search;

/// <summary>Where a search looks first: scales in multiples of the block's largest magnitude. Close where the best one usually
/// is, wide apart elsewhere; the places only decide how long it takes.</summary>
internal static class SearchGrid<TTable>
    where TTable : struct, ISearchTable
{
    /// <summary>The smallest scale that is searched.</summary>
    public static readonly float Smallest = 1f / (4096f * TTable.Top);

    /// <summary>The next multiple outwards.</summary>
    public static float Above(float multiple) => multiple * (1f + (0.13f * MathF.Max(1f, MathF.Min(multiple * TTable.Top, 10f))));

    /// <summary>The next multiple inwards.</summary>
    public static float Below(float multiple) => multiple / (multiple * TTable.Top > 0.5f ? 1.13f : 1.3f);
}
