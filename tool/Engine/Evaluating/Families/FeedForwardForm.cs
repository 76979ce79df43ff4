using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>What follows attention in a layer.</summary>
internal abstract record FeedForwardForm;

/// <summary>down(f(up(x))), or with a gate down(f(gate(x)) up(x)).</summary>
/// <param name="Up">To the wide state; with a fused gate, to both.</param>
/// <param name="Down">Back.</param>
/// <param name="Activation">f.</param>
/// <param name="Gating">Where the gate is.</param>
internal sealed record DenseForm(LinearForm Up, LinearForm Down, Activation Activation, Gating Gating) : FeedForwardForm
{
    /// <summary>The gate, for <see cref="Gating.Separate"/>.</summary>
    public LinearForm? Gate { get; init; }

    /// <summary>alpha and limit of <see cref="Activations.ClippedGate"/>, which then takes the place of the activation.</summary>
    public (float Alpha, float Limit)? Clip { get; init; }

    /// <summary>Values of the wide state.</summary>
    public int Width => Down.Weight.Columns;
}

/// <summary>Where a feed-forward block has its gate.</summary>
internal enum Gating
{
    /// <summary>No gate.</summary>
    None,

    /// <summary>A linear layer of its own.</summary>
    Separate,

    /// <summary>The first half of the rows of up.</summary>
    FirstHalf,

    /// <summary>The even rows of up.</summary>
    EvenRows,
}

/// <summary>Experts, of which each token takes a few.</summary>
/// <param name="Router">To one logit per expert.</param>
/// <param name="Rule">What the logits mean.</param>
/// <param name="Experts">In order.</param>
internal sealed record MixtureForm(LinearForm Router, RouterRule Rule, IReadOnlyList<DenseForm> Experts) : FeedForwardForm
{
    /// <summary>Added to scores for the choice; null for none.</summary>
    public WeightUse? Correction { get; init; }

    /// <summary>An expert that every token takes besides; null for none.</summary>
    public DenseForm? Shared { get; init; }
}
