namespace Bnb.Engine.Linting;

/// <summary>One rule that a checkpoint breaks.</summary>
/// <param name="Rule">The stable identifier, one of <see cref="LintRules"/> or of a layout (BNB0101, CT0103).</param>
/// <param name="Level">What it means.</param>
/// <param name="Text">What was found, escaped for display.</param>
/// <param name="Tensors">The tensors or modules it is about, in the checkpoint's order; empty when it is about all of it.</param>
/// <param name="Action">What to do about it.</param>
internal sealed record LintFinding(string Rule, LintLevel Level, string Text, IReadOnlyList<string> Tensors, string Action);
