using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The hidden state before the first layer: rows of the embedding, scaled, plus rows of positions.</summary>
internal sealed class EmbeddingStage(DecoderForm model, WeightStore store) : Stage
{
    public override void Run(ForwardState state, LoadedWeights weights, Operations operations)
    {
        var type = operations.Options.ComputeType;
        Span<float> scale = [model.EmbeddingScale];
        ComputeRounding.Apply(type, scale);
        var firstUse = new Dictionary<int, int>();
        for (int token = 0; token < state.Ids.Length; token++)
        {
            Span<float> row = state.Hidden.Row(token);
            int id = state.Ids[token];
            if (!firstUse.TryAdd(id, token))
            {
                state.Hidden.Row(firstUse[id]).CopyTo(row);
                continue;
            }

            store.LoadRows(model.Embedding, id, 1, row);
            foreach (ref float value in row) value *= scale[0];
            ComputeRounding.Apply(type, row);
        }

        if (model.Positions is not { } positions) return;
        float[] table = new float[state.LongestContext * model.Hidden];
        store.LoadRows(positions, model.FirstPosition, state.LongestContext, table);
        for (int token = 0; token < state.Ids.Length; token++)
        {
            Span<float> row = state.Hidden.Row(token);
            ReadOnlySpan<float> position = table.AsSpan(state.Positions[token] * model.Hidden, model.Hidden);
            for (int i = 0; i < row.Length; i++) row[i] += position[i];
            ComputeRounding.Apply(type, row);
        }
    }
}
