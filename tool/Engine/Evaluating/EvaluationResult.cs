using Bnb.Engine.Evaluating.Forward;
using Bnb.Engine.Evaluating.Measures;

namespace Bnb.Engine.Evaluating;

/// <summary>What an evaluation found.</summary>
/// <param name="Quantized">The checkpoint that was judged.</param>
/// <param name="Source">The one it was judged by.</param>
/// <param name="ModelType">Their family.</param>
/// <param name="Tokens">Tokens in all.</param>
/// <param name="Contexts">Contexts they are in.</param>
internal sealed record EvaluationResult(string Quantized, string Source, string ModelType, int Tokens, int Contexts)
{
    /// <summary>What multiplied: a path of the CPU, or devices.</summary>
    public required string KernelPath { get; init; }

    /// <summary>What was chosen and why; null when the user did not choose.</summary>
    public string? DeviceNote { get; init; }

    /// <summary>exp of the mean negative log-likelihood of tokens 2 to n of every context, of the reference.</summary>
    public required double ReferencePerplexity { get; init; }

    /// <summary>The same of the quantized model.</summary>
    public required double QuantizedPerplexity { get; init; }

    /// <summary>KL(reference || quantized) in nats, over all positions.</summary>
    public required Distribution Divergence { get; init; }

    /// <summary>The share of positions where both expect the same token most.</summary>
    public required double Top1 { get; init; }

    /// <summary>The mean share of the reference's five best tokens that are among the quantized model's five best.</summary>
    public required double Top5 { get; init; }

    /// <summary>Root mean square change of the probability of the token that follows.</summary>
    public required double ProbabilityRms { get; init; }

    /// <summary>Mean change of that probability; below 0 where the quantized model is worse.</summary>
    public required double ProbabilityMean { get; init; }

    /// <summary>Hidden states, from the embedding to the final norm.</summary>
    public required IReadOnlyList<StateComparison> States { get; init; }

    /// <summary>Of <see cref="States"/>, each one's share of the growth of the error.</summary>
    public IReadOnlyList<double> Shares => StateComparison.Shares(States);

    /// <summary>Squared activations of the reference, when asked for.</summary>
    public IReadOnlyList<ChannelImportance> Importance { get; init; } = [];

    /// <summary>Time of the whole run.</summary>
    public required double Seconds { get; init; }

    /// <summary>The quantized model's perplexity over the reference's.</summary>
    public double PerplexityRatio => QuantizedPerplexity / ReferencePerplexity;
}
