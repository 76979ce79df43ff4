using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The first step of a layer's second half with experts: the norm, and which token goes where.</summary>
internal sealed class RouterStage(LayerForm layer, MixtureForm form, int hidden, WeightStore store) : Stage
{
    public override IReadOnlyList<WeightUse> Weights { get; } =
    [
        .. Operations.WeightsOf(layer.BeforeFeedForward, hidden, store),
        .. Operations.WeightsOf(form.Router, store),
        .. form.Correction is { } correction ? [correction] : Array.Empty<WeightUse>(),
    ];

    public override void Run(ForwardState state, LoadedWeights weights, Operations operations)
    {
        int experts = form.Experts.Count;
        state.Hidden.All.CopyTo(state.ExpertInput.All);
        state.ExpertOutput.All.Clear();
        operations.Norm(layer.BeforeFeedForward, weights, state.ExpertInput, hidden);
        TokenMatrix logits = operations.Workspace.Take(Workspace.Slot.Logits, state.Ids.Length, experts);
        operations.Linear(form.Router, weights, state.ExpertInput, logits);
        state.Chosen = [.. Enumerable.Range(0, experts).Select(_ => new List<(int, float)>())];
        for (int token = 0; token < state.Ids.Length; token++)
        {
            foreach ((int expert, float weight) in Routing.Choose(form.Rule, logits.Row(token), weights.Find(form.Correction)))
                state.Chosen[expert].Add((token, weight));
        }
    }
}
