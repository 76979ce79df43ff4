namespace Bnb.Engine.Evaluating.Forward;

/// <summary>Squared activations of one weight's inputs.</summary>
/// <param name="Name">The weight's full name.</param>
/// <param name="Sums">One per input channel.</param>
/// <param name="Tokens">How many tokens are in the sums.</param>
internal sealed record ChannelImportance(string Name, double[] Sums, long Tokens);
