using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>A part of a forward pass whose weights are in memory together: half a layer, or one expert.</summary>
internal abstract class Stage
{
    /// <summary>What it needs, but for rows of embeddings, which are read as they are used.</summary>
    public virtual IReadOnlyList<WeightUse> Weights => [];

    /// <summary>The hidden state that is complete after it: 0 for the embedding, i for layer i - 1; null inside a layer.</summary>
    public int? Completes { get; init; }

    /// <summary>Takes all tokens through it.</summary>
    public abstract void Run(ForwardState state, LoadedWeights weights, Operations operations);
}
