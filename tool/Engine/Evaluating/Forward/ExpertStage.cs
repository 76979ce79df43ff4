using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>One expert for the tokens that chose it, or the shared one for all. Experts add to the result in order, as
/// transformers adds them.</summary>
/// <param name="expert">Its number; null for the shared one.</param>
internal sealed class ExpertStage(DenseForm form, int? expert, int hidden, WeightStore store) : Stage
{
    public override IReadOnlyList<WeightUse> Weights { get; } = [.. FeedForwardStage.WeightsOf(form, store)];

    public override void Run(ForwardState state, LoadedWeights weights, Operations operations)
    {
        List<(int Token, float Weight)> tokens = expert is { } number
            ? state.Chosen[number]
            : [.. Enumerable.Range(0, state.Ids.Length).Select(token => (token, 1f))];
        foreach ((int Token, float Weight)[] part in tokens.Chunk(operations.Options.BatchTokens))
        {
            TokenMatrix x = operations.Workspace.Take(Workspace.Slot.Gathered, part.Length, hidden);
            for (int i = 0; i < part.Length; i++) state.ExpertInput.Row(part[i].Token).CopyTo(x.Row(i));
            TokenMatrix y = operations.Workspace.Take(Workspace.Slot.Output, part.Length, hidden);
            operations.FeedForward(form, weights, x, y);
            RowBlocks.ForEach(operations.Options.Threads, part.Length, i =>
            {
                Span<float> sum = state.ExpertOutput.Row(part[i].Token), own = y.Row(i);
                for (int c = 0; c < sum.Length; c++) sum[c] += own[c] * part[i].Weight;
                ComputeRounding.Apply(operations.Options.ComputeType, sum);
            });
        }
    }
}
