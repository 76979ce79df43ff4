using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The last step of a layer with experts: their sum goes to the hidden state.</summary>
internal sealed class MixtureEndStage(LayerForm layer, int hidden, WeightStore store) : Stage
{
    public override IReadOnlyList<WeightUse> Weights { get; } = [.. Operations.WeightsOf(layer.AfterFeedForward, hidden, store)];

    public override void Run(ForwardState state, LoadedWeights weights, Operations operations)
    {
        operations.Norm(layer.AfterFeedForward, weights, state.ExpertOutput, hidden);
        if (layer.IsParallel) operations.AddScaled(state.Hidden, state.Pending, layer.ResidualScale);
        operations.AddScaled(state.Hidden, state.ExpertOutput, layer.ResidualScale);
    }
}
