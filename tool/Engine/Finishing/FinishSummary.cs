using Bnb.Engine.Output;
using Bnb.Engine.Plans;

namespace Bnb.Engine.Finishing;

/// <summary>What <c>finish</c> did.</summary>
/// <param name="Plan">Null when the output was there already.</param>
internal sealed record FinishSummary(OutputPlace Place, PlanRecord? Plan, bool NothingToDo);
