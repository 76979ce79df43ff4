using Bnb.Engine.Plans;

namespace Bnb.Engine.Finishing;

/// <summary>What <c>finish</c> did.</summary>
/// <param name="Output">The folder, as it was asked for.</param>
/// <param name="Plan">Null when the output was there already.</param>
internal sealed record FinishSummary(string Output, PlanRecord? Plan, bool NothingToDo);
