namespace Bnb.Quant.Search;

/// <summary>
/// The vector work of the search at one width. Every span is padded with zeros to a multiple of 16 values; weights are as
/// long as the values, or empty for 1 everywhere. y is x * reciprocal, one float32 multiplication.
/// </summary>
internal interface ISearchKernel
{
    /// <summary>Of all y with v the table's value: error = sum of weight * (y - v)^2, square = sum of weight * v^2. Bounded:
    /// float32 sums whose order is the kernel's own, so they only steer the search.</summary>
    static abstract void Evaluate<TTable>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal, out float error, out float square)
        where TTable : struct, ISearchTable;

    /// <summary>Sum of weight * max(|y| - Top, 0)^2: the part of the error that comes of cutting off. Bounded.</summary>
    static abstract float Clipped<TTable>(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal)
        where TTable : struct, ISearchTable;

    /// <summary>Sum of weight * y^2 over the y whose magnitude is below <see cref="ISearchTable.Zero"/>: what is lost to 0
    /// under this scale is lost under every larger one. Bounded.</summary>
    static abstract float Lost<TTable>(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float reciprocal)
        where TTable : struct, ISearchTable;

    /// <summary>Whether two reciprocals give the same values everywhere, or all places that differ hold one and the same x:
    /// then no other choice of values lies between the two. Exact.</summary>
    static abstract bool AreNeighbours<TTable>(ReadOnlySpan<float> x, float first, float second)
        where TTable : struct, ISearchTable;

    /// <summary>The table's value of each y. Exact.</summary>
    static abstract void Decode<TTable>(ReadOnlySpan<float> x, float reciprocal, Span<float> values)
        where TTable : struct, ISearchTable;
}
