namespace Bnb.Quant.Search;

/// <summary>The vector work of the search at one width. x is padded with zeros to a multiple of 16 values; weights are as long,
/// or empty for 1 everywhere. y is x * (1 / scale), two float32 roundings, and v the table's value of y.</summary>
internal interface ISearchKernel
{
    /// <summary>Scales that are looked at together.</summary>
    const int Batch = 16;

    /// <summary>Values that are added up one after the other; their sums are added up in turn.</summary>
    const int Run = 256;

    /// <summary>For each scale: error = (scale * inverse)^2 * sum of weight * (y - v)^2, square = sum of weight * v^2. Bounded:
    /// float32, so they only steer the search.</summary>
    /// <param name="scales">A multiple of <see cref="Batch"/>, of either sign; 1 / scale is finite.</param>
    static abstract void Evaluate<TTable>(
        ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ReadOnlySpan<float> scales, float inverse, Span<float> errors, Span<float> squares)
        where TTable : struct, ISearchTable;

    /// <summary>v of each x, given 1 / scale. Exact.</summary>
    static abstract void Decode<TTable>(ReadOnlySpan<float> x, float reciprocal, Span<float> values)
        where TTable : struct, ISearchTable;
}
