namespace Bnb.Engine.Evaluating.Operators;

/// <summary>The sizes and rules of one attention.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyHeads">Key and value heads; a divisor of <paramref name="Heads"/>, each serves a run of neighbours.</param>
/// <param name="KeyWidth">Channels of a query or key head.</param>
/// <param name="ValueWidth">Channels of a value head.</param>
/// <param name="Scale">Of the products of queries and keys.</param>
/// <param name="Window">How many positions a token sees, itself among them; null for all before it.</param>
/// <param name="SoftCap">Scores become cap tanh(score / cap); null for none.</param>
internal sealed record AttentionShape(
    int Heads, int KeyHeads, int KeyWidth, int ValueWidth, float Scale, int? Window, float? SoftCap);
