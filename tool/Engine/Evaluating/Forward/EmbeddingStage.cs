using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The hidden state before the first layer: rows of the embedding, scaled, brought to the hidden width where they have another,
/// plus rows of positions.</summary>
internal sealed class EmbeddingStage(DecoderForm model, WeightStore store) : Stage
{
    public override IReadOnlyList<WeightUse> Weights { get; } = [.. Operations.WeightsOf(model.ProjectIn, store)];

    public override void Run(ForwardState state, LoadedWeights weights, Operations operations)
    {
        if (model.ProjectIn is { } project)
        {
            int width = project.Weight.Columns;
            var rows = new TokenMatrix(new float[checked(state.Ids.Length * width)], 0, state.Ids.Length, width);
            Embed(state, rows, operations);
            operations.Linear(project, weights, rows, state.Hidden);
        }
        else
        {
            Embed(state, state.Hidden, operations);
        }

        AddPositions(state, operations);
    }

    private void Embed(ForwardState state, TokenMatrix rows, Operations operations)
    {
        var type = operations.Options.ComputeType;
        Span<float> scale = [model.EmbeddingScale];
        ComputeRounding.Apply(type, scale);
        var firstUse = new Dictionary<int, int>();
        for (int token = 0; token < state.Ids.Length; token++)
        {
            Span<float> row = rows.Row(token);
            int id = state.Ids[token];
            if (!firstUse.TryAdd(id, token))
            {
                rows.Row(firstUse[id]).CopyTo(row);
                continue;
            }

            store.LoadRows(model.Embedding, id, 1, row);
            foreach (ref float value in row) value *= scale[0];
            ComputeRounding.Apply(type, row);
        }
    }

    private void AddPositions(ForwardState state, Operations operations)
    {
        if (model.Positions is not { } positions) return;
        float[] table = new float[state.LongestContext * model.Hidden];
        store.LoadRows(positions, model.FirstPosition, state.LongestContext, table);
        for (int token = 0; token < state.Ids.Length; token++)
        {
            Span<float> row = state.Hidden.Row(token);
            ReadOnlySpan<float> position = table.AsSpan(state.Positions[token] * model.Hidden, model.Hidden);
            for (int i = 0; i < row.Length; i++) row[i] += position[i];
            ComputeRounding.Apply(operations.Options.ComputeType, row);
        }
    }
}
