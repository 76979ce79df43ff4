namespace Bnb.Formats.Tensors;

/// <summary>One rule of a quantized layout that a checkpoint breaks.</summary>
/// <param name="Rule">Stable identifier, listed in docs/formats.md: <c>BNB0101</c> and so on.</param>
/// <param name="Tensor">The tensor it is about; <c>config.json</c> for a rule about the config.</param>
/// <param name="Text">What is wrong, found and expected, escaped for display.</param>
/// <param name="IsFatal">True when the weight cannot be decoded; false when only some loaders stumble over it.</param>
public sealed record WeightProblem(string Rule, string Tensor, string Text, bool IsFatal);
