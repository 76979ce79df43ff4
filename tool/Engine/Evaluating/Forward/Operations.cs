using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Engine.Evaluating.Weights;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Evaluating.Forward;

/// <summary>The operators of a layer over whole batches, each followed by the rounding of the compute dtype.</summary>
internal sealed class Operations(ForwardOptions options, Workspace workspace, ImportanceRecorder? importance)
{
    public ForwardOptions Options { get; } = options;

    public Workspace Workspace { get; } = workspace;

    /// <summary>Looked at before every product.</summary>
    public CancellationToken Cancellation { get; set; }

    /// <summary>y = x w^T + b.</summary>
    public void Linear(LinearForm form, LoadedWeights weights, TokenMatrix x, TokenMatrix y)
    {
        Cancellation.ThrowIfCancellationRequested();
        importance?.Add(form.Weight, x);
        Options.Multiply(x.Rows, form.Weight.Rows, form.Weight.Columns, x.All, weights[form.Weight], y.All);
        float[]? bias = weights.Find(form.Bias);
        if (bias is null && Options.ComputeType == ElementType.F32) return;
        RowBlocks.ForEach(Options.Threads, y.Rows, row =>
        {
            Span<float> values = y.Row(row);
            for (int i = 0; bias is not null && i < values.Length; i++) values[i] += bias[i];
            ComputeRounding.Apply(Options.ComputeType, values);
        });
    }

    /// <summary>Norms every row of x in place.</summary>
    public void Norm(NormForm? form, LoadedWeights weights, TokenMatrix x, int width)
    {
        if (form is not null) Norm([form], weights, x, width);
    }

    /// <summary>Norms every piece of <paramref name="width"/> values of every row of x in place.</summary>
    /// <param name="forms">For the pieces of a row in turn; none leaves x as it is.</param>
    public void Norm(IReadOnlyList<NormForm> forms, LoadedWeights weights, TokenMatrix x, int width)
    {
        if (forms.Count == 0) return;
        float[][] scales = [.. forms.Select(form => form.IsPlain ? [] : weights[form.Weight(width)])];
        float[][] shifts = [.. forms.Select(form => weights.Find(form.Bias(width)) ?? [])];
        RowBlocks.ForEach(Options.Threads, x.Rows, row =>
        {
            Span<float> all = x.Row(row);
            for (int piece = 0; piece < all.Length / width; piece++)
            {
                Span<float> values = all.Slice(piece * width, width);
                int which = piece % forms.Count;
                NormForm form = forms[which];
                if (form.Kind == NormKind.Layer) Norms.Layer(values, scales[which], shifts[which], form.Epsilon);
                else Norms.Rms(values, scales[which], form.Epsilon, form.Kind == NormKind.RmsFromOne ? 1 : 0);
                ComputeRounding.Apply(Options.ComputeType, values);
            }
        });
    }

    /// <summary>The weights that a norm needs.</summary>
    public static IEnumerable<WeightUse> WeightsOf(NormForm? form, int width, WeightStore store)
    {
        if (form is null || form.IsPlain) yield break;
        yield return form.Weight(width);
        if (form.Kind == NormKind.Layer && store.Has(form.Bias(width))) yield return form.Bias(width);
    }

    /// <summary>The weights that a linear layer needs.</summary>
    public static IEnumerable<WeightUse> WeightsOf(LinearForm? form, WeightStore store)
    {
        if (form is null) yield break;
        yield return form.Weight;
        if (store.Has(form.Bias)) yield return form.Bias;
    }

    /// <summary>x += scale * y.</summary>
    public void AddScaled(TokenMatrix x, TokenMatrix y, float scale) => RowBlocks.ForEach(Options.Threads, x.Rows, row =>
    {
        Span<float> sum = x.Row(row), part = y.Row(row);
        for (int i = 0; i < sum.Length; i++) sum[i] += part[i] * scale;
        ComputeRounding.Apply(Options.ComputeType, sum);
    });

    /// <summary>The feed-forward block, from <paramref name="x"/> to <paramref name="y"/>.</summary>
    public void FeedForward(DenseForm form, LoadedWeights weights, TokenMatrix x, TokenMatrix y)
    {
        int width = form.Width;
        bool fused = form.Gating is Gating.FirstHalf or Gating.EvenRows;
        TokenMatrix up = Workspace.Take(Workspace.Slot.Up, x.Rows, fused ? 2 * width : width);
        Linear(form.Up, weights, x, up);
        if (form.Gating == Gating.None)
        {
            RowBlocks.ForEach(Options.Threads, x.Rows, row =>
            {
                Activations.Apply(form.Activation, up.Row(row));
                ComputeRounding.Apply(Options.ComputeType, up.Row(row));
            });
            Linear(form.Down, weights, up, y);
            return;
        }

        TokenMatrix gate = Workspace.Take(Workspace.Slot.Gate, x.Rows, width);
        if (form.Gating == Gating.Separate) Linear(form.Gate!, weights, x, gate);
        TokenMatrix product = fused ? Workspace.Take(Workspace.Slot.Packed, x.Rows, width) : up;
        RowBlocks.ForEach(Options.Threads, x.Rows, row =>
        {
            Span<float> factor = gate.Row(row), value = product.Row(row);
            if (form.Gating == Gating.FirstHalf)
            {
                up.Row(row)[..width].CopyTo(factor);
                up.Row(row)[width..].CopyTo(value);
            }
            else if (form.Gating == Gating.EvenRows)
            {
                ReadOnlySpan<float> both = up.Row(row);
                for (int i = 0; i < width; i++) (factor[i], value[i]) = (both[2 * i], both[(2 * i) + 1]);
            }

            if (form.Clip is { } clip)
            {
                Activations.ClippedGate(factor, value, clip.Alpha, clip.Limit);
            }
            else
            {
                Activations.Apply(form.Activation, factor);
                ComputeRounding.Apply(Options.ComputeType, factor);
                Activations.Multiply(factor, value);
            }

            ComputeRounding.Apply(Options.ComputeType, value);
        });
        Linear(form.Down, weights, product, y);
    }
}
