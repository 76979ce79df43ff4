using System.Globalization;

namespace Bnb.Engine.Evaluating;

/// <summary>What an evaluation must not exceed; null for no limit.</summary>
/// <param name="MaxDivergence">Of the mean KL divergence, in nats.</param>
/// <param name="MaxPerplexityRatio">Of the quantized perplexity over the reference's.</param>
internal sealed record EvaluationLimits(double? MaxDivergence, double? MaxPerplexityRatio)
{
    /// <summary>What is exceeded, one sentence each. A figure that is no number exceeds every limit.</summary>
    public IReadOnlyList<string> Exceeded(EvaluationResult result)
    {
        var texts = new List<string>();
        if (MaxDivergence is { } divergence && !(result.Divergence.Mean <= divergence))
            texts.Add(string.Create(CultureInfo.InvariantCulture, $"the mean KL divergence is {result.Divergence.Mean:g6}, the limit {divergence:g6}"));
        if (MaxPerplexityRatio is { } ratio && !(result.PerplexityRatio <= ratio))
            texts.Add(string.Create(CultureInfo.InvariantCulture, $"the perplexity ratio is {result.PerplexityRatio:g6}, the limit {ratio:g6}"));
        return texts;
    }
}
