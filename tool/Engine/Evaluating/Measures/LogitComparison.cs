namespace Bnb.Engine.Evaluating.Measures;

/// <summary>Two models' next-token distributions, position by position.</summary>
/// <param name="Divergence">KL(reference || quantized) in nats.</param>
/// <param name="SameBest">Whether both give the same token the largest probability.</param>
/// <param name="SharedBest">The share of the reference's five best tokens that are among the other's five best.</param>
internal sealed record LogitComparison(double[] Divergence, bool[] SameBest, double[] SharedBest)
{
    /// <summary>ln of the probability that the reference gives each token that follows.</summary>
    public List<double> ReferenceLogs { get; } = [];

    /// <summary>The same of the quantized model.</summary>
    public List<double> QuantizedLogs { get; } = [];
}
