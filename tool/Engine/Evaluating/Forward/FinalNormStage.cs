using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The norm before the head, and the way to the width that the head takes.</summary>
internal sealed class FinalNormStage(DecoderForm model, WeightStore store) : Stage
{
    public override IReadOnlyList<WeightUse> Weights { get; } =
        [.. Operations.WeightsOf(model.FinalNorm, model.Hidden, store), .. Operations.WeightsOf(model.ProjectOut, store)];

    public override void Run(ForwardState state, LoadedWeights weights, Operations operations)
    {
        operations.Norm(model.FinalNorm, weights, state.Hidden, model.Hidden);
        if (model.ProjectOut is not { } project) return;
        int width = project.Weight.Rows;
        var projected = new TokenMatrix(new float[checked(state.Ids.Length * width)], 0, state.Ids.Length, width);
        operations.Linear(project, weights, state.Hidden, projected);
        state.Hidden = projected;
    }
}
