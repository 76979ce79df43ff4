using Bnb.Engine.Policy;

namespace Bnb.Engine.Inspecting;

/// <summary>Decisions with their reasons.</summary>
/// <param name="Decisions">One for each tensor asked about.</param>
/// <param name="List">What the output's list of exceptions would hold.</param>
/// <param name="KnownTo">Libraries that have the model's class.</param>
internal sealed record Explanation(IReadOnlyList<TensorDecision> Decisions, IReadOnlyList<string> List, IReadOnlyList<string> KnownTo)
{
    /// <summary>The component of a pipeline; null for a model.</summary>
    public string? Component { get; init; }

    /// <summary>False for a component that <c>quantize</c> copies unless <c>--components</c> names it.</summary>
    public bool IsUsual { get; init; } = true;
}
