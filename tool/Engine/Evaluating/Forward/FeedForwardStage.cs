using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The second half of a layer without experts.</summary>
internal sealed class FeedForwardStage(LayerForm layer, DenseForm form, int hidden, WeightStore store) : Stage
{
    public override IReadOnlyList<WeightUse> Weights { get; } =
    [
        .. Operations.WeightsOf(layer.BeforeFeedForward, hidden, store),
        .. Operations.WeightsOf(layer.AfterFeedForward, hidden, store),
        .. Operations.WeightsOf(layer.AfterFeedForwardSum, hidden, store),
        .. WeightsOf(form, store),
    ];

    /// <summary>The weights of a dense block.</summary>
    public static IEnumerable<WeightUse> WeightsOf(DenseForm form, WeightStore store) =>
        new[] { form.Gate, form.Up, form.Down }.SelectMany(linear => Operations.WeightsOf(linear, store));

    public override void Run(ForwardState state, LoadedWeights weights, Operations operations)
    {
        foreach (TokenBatch batch in state.Batches)
        {
            TokenMatrix x = state.Hidden.Slice(batch.First, batch.Count);
            TokenMatrix normed = operations.Workspace.Take(Workspace.Slot.Normed, batch.Count, hidden);
            x.All.CopyTo(normed.All);
            operations.Norm(layer.BeforeFeedForward, weights, normed, hidden);
            TokenMatrix output = operations.Workspace.Take(Workspace.Slot.Output, batch.Count, hidden);
            operations.FeedForward(form, weights, normed, output);
            operations.Norm(layer.AfterFeedForward, weights, output, hidden);
            if (layer.IsParallel) operations.AddScaled(x, state.Pending.Slice(batch.First, batch.Count), layer.ResidualScale);
            operations.AddScaled(x, output, layer.ResidualScale);
            operations.Norm(layer.AfterFeedForwardSum, weights, x, hidden);
        }
    }
}
