using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>The attention of one layer.</summary>
/// <param name="Shape">Heads, widths, scale, window, cap.</param>
/// <param name="Projections">What makes queries, keys and values.</param>
/// <param name="Output">From [heads * value width] to the hidden width.</param>
internal sealed record AttentionForm(AttentionShape Shape, ProjectionForm Projections, LinearForm Output)
{
    /// <summary>Rotary embedding of queries and keys; null for none.</summary>
    public RotaryForm? Rotary { get; init; }

    /// <summary>Norms of queries and keys before they are rotated; null for none.</summary>
    public QueryKeyNorms? Norms { get; init; }

    /// <summary>One logit per head that takes part in the softmax; null for none.</summary>
    public WeightUse? Sinks { get; init; }
}

/// <summary>Norms of queries and keys.</summary>
/// <param name="Query">Of queries: one for all heads, or one for each.</param>
/// <param name="Key">Of keys, alike.</param>
/// <param name="IsPerHead">Whether each head is normed alone, or the whole projection.</param>
internal sealed record QueryKeyNorms(IReadOnlyList<NormForm> Query, IReadOnlyList<NormForm> Key, bool IsPerHead);
