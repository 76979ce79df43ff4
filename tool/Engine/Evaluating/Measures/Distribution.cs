namespace Bnb.Engine.Evaluating.Measures;

/// <summary>What is said about a measure over many tokens.</summary>
/// <param name="Mean">Arithmetic.</param>
/// <param name="StandardError">Of the mean, tokens taken as independent: sqrt(variance / n); 0 for a single one.</param>
/// <param name="Maximum">The largest.</param>
internal sealed record Distribution(double Mean, double StandardError, double Median, double P90, double P95, double P99, double P999, double Maximum)
{
    /// <summary>Of at least one value.</summary>
    public static Distribution Of(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        double mean = values.Sum() / values.Count;
        double variance = values.Count < 2 ? 0 : values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1);
        return new Distribution(
            mean, Math.Sqrt(variance / values.Count), Percentile(sorted, 0.5), Percentile(sorted, 0.9), Percentile(sorted, 0.95),
            Percentile(sorted, 0.99), Percentile(sorted, 0.999), sorted[^1]);
    }

    /// <summary>Between neighbours in proportion, as numpy and torch do.</summary>
    private static double Percentile(double[] sorted, double share)
    {
        double place = share * (sorted.Length - 1);
        int below = (int)place;
        double next = sorted[Math.Min(below + 1, sorted.Length - 1)];
        return sorted[below] + ((next - sorted[below]) * (place - below));
    }
}
