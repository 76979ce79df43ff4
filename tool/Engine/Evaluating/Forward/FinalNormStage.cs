using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The norm before the head.</summary>
internal sealed class FinalNormStage(DecoderForm model, WeightStore store) : Stage
{
    public override IReadOnlyList<WeightUse> Weights { get; } = [.. Operations.WeightsOf(model.FinalNorm, model.Hidden, store)];

    public override void Run(ForwardState state, LoadedWeights weights, Operations operations) =>
        operations.Norm(model.FinalNorm, weights, state.Hidden, model.Hidden);
}
