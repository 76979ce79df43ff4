namespace Bnb.Formats.BitsAndBytes;

/// <summary>One rule of the bitsandbytes 4-bit layout that a checkpoint breaks.</summary>
/// <inheritdoc/>
public sealed record BnbProblem(string Rule, string Tensor, string Text, bool IsFatal) : WeightProblem(Rule, Tensor, Text, IsFatal);
