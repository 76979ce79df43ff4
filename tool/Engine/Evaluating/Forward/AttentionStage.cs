using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The first half of a layer.</summary>
internal sealed class AttentionStage : Stage
{
    private readonly LayerForm _layer;
    private readonly AttentionForm _form;
    private readonly int _hidden;
    private readonly RotaryTable? _rotary;
    private readonly List<WeightUse> _weights;

    /// <param name="rotary">The table of the layer's rotary form; null without one.</param>
    public AttentionStage(LayerForm layer, int hidden, RotaryTable? rotary, WeightStore store)
    {
        (_layer, _form, _hidden, _rotary) = (layer, layer.Attention, hidden, rotary);
        AttentionShape shape = _form.Shape;
        _weights =
        [
            .. Operations.WeightsOf(layer.BeforeAttention, hidden, store),
            .. Operations.WeightsOf(layer.AfterAttention, hidden, store),
            .. Projections().SelectMany(linear => Operations.WeightsOf(linear, store)),
            .. Operations.WeightsOf(layer.AfterAttentionSum, hidden, store),
            .. (_form.Norms?.Query ?? []).SelectMany(norm => Operations.WeightsOf(norm, NormWidth(shape.Heads), store)),
            .. (_form.Norms?.Key ?? []).SelectMany(norm => Operations.WeightsOf(norm, NormWidth(shape.KeyHeads), store)),
        ];
        if (_form.Projections is LatentProjections latent)
        {
            _weights.AddRange(Operations.WeightsOf(latent.QueryNorm, latent.Query.Weight.Columns, store));
            _weights.AddRange(Operations.WeightsOf(latent.KeyValueNorm, latent.KeyValue.Weight.Columns, store));
        }

        if (_form.Sinks is { } sinks) _weights.Add(sinks);
    }

    public override IReadOnlyList<WeightUse> Weights => _weights;

    public override void Run(ForwardState state, LoadedWeights weights, Operations operations)
    {
        AttentionShape shape = _form.Shape;
        foreach (TokenBatch batch in state.Batches)
        {
            TokenMatrix hidden = state.Hidden.Slice(batch.First, batch.Count);
            TokenMatrix normed = operations.Workspace.Take(Workspace.Slot.Normed, batch.Count, _hidden);
            hidden.All.CopyTo(normed.All);
            operations.Norm(_layer.BeforeAttention, weights, normed, _hidden);

            TokenMatrix query = operations.Workspace.Take(Workspace.Slot.Query, batch.Count, shape.Heads * shape.KeyWidth);
            TokenMatrix key = operations.Workspace.Take(Workspace.Slot.Key, batch.Count, shape.KeyHeads * shape.KeyWidth);
            TokenMatrix value = operations.Workspace.Take(Workspace.Slot.Value, batch.Count, shape.KeyHeads * shape.ValueWidth);
            Project(normed, query, key, value, weights, operations);
            operations.Norm(_form.Norms?.Query ?? [], weights, query, NormWidth(shape.Heads));
            operations.Norm(_form.Norms?.Key ?? [], weights, key, NormWidth(shape.KeyHeads));
            Rotate(query, batch, state, operations);
            Rotate(key, batch, state, operations);

            TokenMatrix mixed = operations.Workspace.Take(Workspace.Slot.Mixed, batch.Count, shape.Heads * shape.ValueWidth);
            Attention.Run(
                shape, batch.Contexts, query, key, value, weights.Find(_form.Sinks), mixed, operations.Options.Threads, operations.Options.Path);
            RowBlocks.ForEach(operations.Options.Threads, mixed.Rows, row => ComputeRounding.Apply(operations.Options.ComputeType, mixed.Row(row)));

            TokenMatrix output = operations.Workspace.Take(Workspace.Slot.Output, batch.Count, _hidden);
            operations.Linear(_form.Output, weights, mixed, output);
            operations.Norm(_layer.AfterAttention, weights, output, _hidden);
            if (_layer.IsParallel) output.All.CopyTo(state.Pending.Slice(batch.First, batch.Count).All);
            else operations.AddScaled(hidden, output, _layer.ResidualScale);
            operations.Norm(_layer.AfterAttentionSum, weights, hidden, _hidden);
        }
    }

    private IEnumerable<LinearForm?> Projections() => _form.Projections switch
    {
        SeparateProjections separate => [separate.Query, separate.Key, separate.Value, _form.Output],
        FusedProjections fused => [fused.Packed, _form.Output],
        LatentProjections latent => [latent.QueryDown, latent.Query, latent.KeyValueDown, latent.KeyValue, _form.Output],
        _ => throw new InvalidOperationException($"no operator for {_form.Projections.GetType().Name}"),
    };

    private int NormWidth(int heads) => _form.Norms is { IsPerHead: false } ? heads * _form.Shape.KeyWidth : _form.Shape.KeyWidth;

    private void Project(TokenMatrix x, TokenMatrix query, TokenMatrix key, TokenMatrix value, LoadedWeights weights, Operations operations)
    {
        switch (_form.Projections)
        {
            case SeparateProjections separate:
                operations.Linear(separate.Query, weights, x, query);
                operations.Linear(separate.Key, weights, x, key);
                operations.Linear(separate.Value, weights, x, value);
                break;
            case FusedProjections fused:
                TokenMatrix packed = operations.Workspace.Take(Workspace.Slot.Packed, x.Rows, fused.Packed.Weight.Rows);
                operations.Linear(fused.Packed, weights, x, packed);
                Split(fused, packed, query, key, value, operations.Options.Threads);
                break;
            case LatentProjections latent:
                new LatentSteps(latent, _form.Shape).Run(x, query, key, value, weights, operations);
                break;
        }
    }

    private void Split(FusedProjections fused, TokenMatrix packed, TokenMatrix query, TokenMatrix key, TokenMatrix value, int threads)
    {
        AttentionShape shape = _form.Shape;
        RowBlocks.ForEach(threads, packed.Rows, row =>
        {
            ReadOnlySpan<float> all = packed.Row(row);
            if (!fused.IsPerHead)
            {
                all[..query.Width].CopyTo(query.Row(row));
                all.Slice(query.Width, key.Width).CopyTo(key.Row(row));
                all[(query.Width + key.Width)..].CopyTo(value.Row(row));
                return;
            }

            int width = shape.KeyWidth;
            for (int head = 0; head < shape.Heads; head++)
            {
                ReadOnlySpan<float> three = all.Slice(head * 3 * width, 3 * width);
                three[..width].CopyTo(query.Row(row)[(head * width)..]);
                three.Slice(width, width).CopyTo(key.Row(row)[(head * width)..]);
                three[(2 * width)..].CopyTo(value.Row(row)[(head * width)..]);
            }
        });
    }

    private void Rotate(TokenMatrix heads, TokenBatch batch, ForwardState state, Operations operations)
    {
        if (_rotary is null) return;
        int width = _form.Shape.KeyWidth;
        // Latent attention rotates the last channels of a head, all others the first.
        int skip = _form.Projections is LatentProjections latent ? width - latent.RotatedWidth : 0;
        RowBlocks.ForEach(operations.Options.Threads, heads.Rows, row =>
        {
            Span<float> all = heads.Row(row);
            for (int start = 0; start < all.Length; start += width) _rotary.Rotate(all[(start + skip)..], state.Positions[batch.First + row]);
            ComputeRounding.Apply(operations.Options.ComputeType, all);
        });
    }
}
