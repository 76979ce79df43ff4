namespace Bnb.Quant.Search;

/// <summary>
/// What float32 sums can be off, relative to themselves: 2^-12 for rounding y, values and bounds where the error is at least
/// 2^-16 of the sum of squares, and 2^-23 for each addition in a row, of two errors that are compared; and 2^-28 per value of
/// absmax^2 for smaller errors. A scale whose float32 error is not below least * slack + floor cannot be the best.
/// </summary>
internal static class SearchMargin
{
    private const float Margin = 0.00024414062f;
    private const float MarginPerSum = 1.1920929e-7f;
    private const float Least = 3.7252903e-9f;

    /// <summary>The factor, for so many values, of which runs of <see cref="ISearchKernel.Run"/> are added up at a time.</summary>
    public static float Slack(int length) =>
        1f + Margin + ((Math.Min(length, ISearchKernel.Run) + (length / ISearchKernel.Run)) * MarginPerSum);

    /// <summary>The addend, in units of absmax^2.</summary>
    public static float Floor(int length) => length * Least;
}
