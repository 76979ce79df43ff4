using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>The whole decision.</summary>
/// <param name="Decisions">One per input tensor, in input order.</param>
/// <param name="SkipModules">
/// The explicit <c>llm_int8_skip_modules</c>, or compressed-tensors' <c>ignore</c>; ordinally sorted, independent of input order.
/// </param>
/// <param name="FusedExperts">Expert stacks that stay unquantized.</param>
/// <param name="Notes">Lines the user should see.</param>
internal sealed record PolicyResult(
    IReadOnlyList<TensorDecision> Decisions,
    IReadOnlyList<string> SkipModules,
    IReadOnlyList<FusedExperts> FusedExperts,
    IReadOnlyList<string> Notes)
{
    /// <summary>The names by which readers know the modules.</summary>
    public required ModuleNames Readers { get; init; }

    /// <summary>What the atlas knows about the model.</summary>
    public KnownModel Known { get; init; } = KnownModel.Unknown;
}
