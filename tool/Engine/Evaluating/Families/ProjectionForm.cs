namespace Bnb.Engine.Evaluating.Families;

/// <summary>How queries, keys and values are made of the normed hidden state.</summary>
internal abstract record ProjectionForm;

/// <summary>Three linear layers.</summary>
internal sealed record SeparateProjections(LinearForm Query, LinearForm Key, LinearForm Value) : ProjectionForm;

/// <summary>One linear layer whose rows are those of all three.</summary>
/// <param name="IsPerHead">Whether each head has its query, key and value together (GPT-NeoX); else all queries come first,
/// then all keys, then all values.</param>
internal sealed record FusedProjections(LinearForm Packed, bool IsPerHead) : ProjectionForm;

/// <summary>
/// Multi-head latent attention: queries, keys and values are made of narrow normed vectors, and a rotated part of the key is
/// shared by all heads. The rotated channels come last in query and key heads.
/// </summary>
/// <param name="QueryDown">To the narrow query; null where queries are made at once.</param>
/// <param name="QueryNorm">Of the narrow query; null with it.</param>
/// <param name="Query">To [heads, plain + rotated].</param>
/// <param name="KeyValueDown">To [narrow, rotated].</param>
/// <param name="KeyValueNorm">Of the narrow part.</param>
/// <param name="KeyValue">From the narrow part to [heads, plain + value].</param>
/// <param name="RotatedWidth">Channels of the shared key.</param>
internal sealed record LatentProjections(
    LinearForm? QueryDown, NormForm? QueryNorm, LinearForm Query, LinearForm KeyValueDown, NormForm KeyValueNorm, LinearForm KeyValue,
    int RotatedWidth) : ProjectionForm;
