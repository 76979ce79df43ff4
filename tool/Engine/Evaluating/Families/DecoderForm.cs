namespace Bnb.Engine.Evaluating.Families;

/// <summary>A decoder-only language model, as its family describes it: embedding, layers, norm, head.</summary>
/// <param name="Hidden">Width of the hidden state.</param>
/// <param name="Embedding">[vocabulary, hidden]; where the checkpoint has no such tensor, the head takes its place.</param>
/// <param name="Layers">In order.</param>
/// <param name="FinalNorm">After the last layer; null for none.</param>
/// <param name="Head">To the logits, [vocabulary, hidden]. Where the checkpoint has no such tensor they are tied, and the embedding takes
/// its place; one that is stored is used whatever the config says of ties, as transformers does since version 5.</param>
internal sealed record DecoderForm(int Hidden, WeightUse Embedding, IReadOnlyList<LayerForm> Layers, NormForm? FinalNorm, LinearForm Head)
{
    /// <summary>What tensors of a bare model lack at the start of their names, for example <c>model.</c>.</summary>
    public required string BasePrefix { get; init; }

    /// <summary>Of embeddings.</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>The head by another name that checkpoints have for it; null for none.</summary>
    public LinearForm? OtherHead { get; init; }

    /// <summary>From embeddings that are not as wide as the hidden state to it; null where they are.</summary>
    public LinearForm? ProjectIn { get; init; }

    /// <summary>Back, from the normed state to what the head takes; null with it.</summary>
    public LinearForm? ProjectOut { get; init; }

    /// <summary>Learned embeddings of positions, added to those of tokens; null for none.</summary>
    public WeightUse? Positions { get; init; }

    /// <summary>The row of the first position.</summary>
    public int FirstPosition { get; init; }

    /// <summary>Of logits.</summary>
    public float LogitScale { get; init; } = 1;

    /// <summary>Logits become cap tanh(logit / cap); null for none.</summary>
    public float? LogitCap { get; init; }

    /// <summary>Tokens of the vocabulary.</summary>
    public int Vocabulary => Head.Weight.Rows;

    /// <summary>Positions that the model was made for; longer contexts are odd, though rotary models compute them.</summary>
    public int? MaxPositions { get; init; }

    /// <summary>Values that a layer keeps for each token while it works: projections, wide states, results.</summary>
    public long WidestStates => Layers.Max(layer =>
    {
        long heads = (layer.Attention.Shape.Heads + (2L * layer.Attention.Shape.KeyHeads)) * layer.Attention.Shape.KeyWidth;
        long wide = layer.FeedForward switch
        {
            DenseForm dense => dense.Width,
            MixtureForm mixture => Math.Max(mixture.Experts.Max(expert => expert.Width), mixture.Experts.Count),
            _ => 0,
        };
        return heads + (3 * wide) + (3L * Hidden);
    });
}
