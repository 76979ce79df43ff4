using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>Queries, keys and values of latent attention.</summary>
internal sealed class LatentSteps(LatentProjections form, AttentionShape shape)
{
    public void Run(TokenMatrix x, TokenMatrix query, TokenMatrix key, TokenMatrix value, LoadedWeights weights, Operations operations)
    {
        if (form.QueryDown is { } down)
        {
            TokenMatrix narrow = operations.Workspace.Take(Workspace.Slot.Narrow, x.Rows, down.Weight.Rows);
            operations.Linear(down, weights, x, narrow);
            operations.Norm(form.QueryNorm, weights, narrow, narrow.Width);
            operations.Linear(form.Query, weights, narrow, query);
        }
        else
        {
            operations.Linear(form.Query, weights, x, query);
        }

        int narrowWidth = form.KeyValue.Weight.Columns, plain = shape.KeyWidth - form.RotatedWidth;
        TokenMatrix both = operations.Workspace.Take(Workspace.Slot.Packed, x.Rows, form.KeyValueDown.Weight.Rows);
        operations.Linear(form.KeyValueDown, weights, x, both);
        TokenMatrix compressed = operations.Workspace.Take(Workspace.Slot.Narrow, x.Rows, narrowWidth);
        for (int row = 0; row < x.Rows; row++) both.Row(row)[..narrowWidth].CopyTo(compressed.Row(row));
        operations.Norm(form.KeyValueNorm, weights, compressed, narrowWidth);
        TokenMatrix expanded = operations.Workspace.Take(Workspace.Slot.Up, x.Rows, form.KeyValue.Weight.Rows);
        operations.Linear(form.KeyValue, weights, compressed, expanded);
        RowBlocks.ForEach(operations.Options.Threads, x.Rows, row =>
        {
            ReadOnlySpan<float> heads = expanded.Row(row), shared = both.Row(row)[narrowWidth..];
            Span<float> keys = key.Row(row), values = value.Row(row);
            for (int head = 0; head < shape.Heads; head++)
            {
                ReadOnlySpan<float> own = heads.Slice(head * (plain + shape.ValueWidth), plain + shape.ValueWidth);
                own[..plain].CopyTo(keys[(head * shape.KeyWidth)..]);
                shared.CopyTo(keys[((head * shape.KeyWidth) + plain)..]);
                own[plain..].CopyTo(values[(head * shape.ValueWidth)..]);
            }
        });
    }
}
