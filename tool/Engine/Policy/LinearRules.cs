using System.Globalization;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>
/// The built-in rules: which tensors are weights of linear layers that should be quantized. A wrong exclusion costs bytes,
/// a wrong inclusion breaks the model, so names decide conservatively.
/// </summary>
internal static class LinearRules
{
    /// <summary>Judges one tensor; the first rule that applies wins.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="module">Its module, or null when the name does not end in <c>.weight</c>.</param>
    /// <param name="context">The checkpoint.</param>
    public static Verdict Judge(PolicyTensor tensor, ModuleName? module, RuleContext context)
    {
        if (!tensor.IsFloat) return Verdict.Never(RuleIds.NotFloat, "not a floating-point tensor");
        if (IsBias(tensor.Name)) return Verdict.Never(RuleIds.Bias, "biases stay in the model's type");
        if (IsFusedExperts(tensor, context))
            return Verdict.Never(RuleIds.FusedExperts, "experts fused into one tensor; only linear layers are quantized");
        if (module is null) return Verdict.Never(RuleIds.NotWeight, "a parameter of its own, not a module's .weight");
        if (tensor.Shape.Count != 2)
        {
            return LeafNames.IsNorm(module.Leaf)
                ? Verdict.Never(RuleIds.Norm, "normalization")
                : Verdict.Never(RuleIds.NotMatrix, "not a matrix: shape " + RuleContext.Describe(tensor.Shape));
        }

        return JudgeMatrix(tensor, module, context);
    }

    private static Verdict JudgeMatrix(PolicyTensor tensor, ModuleName module, RuleContext context)
    {
        string leaf = module.Leaf;
        if (LeafNames.IsEmbedding(leaf)) return Verdict.Never(RuleIds.Embedding, "embedding table");
        if (LeafNames.IsNorm(leaf)) return Verdict.Never(RuleIds.Norm, "normalization");

        PolicyOptions options = context.Options;
        bool transpose = context.HasConv1D && FamilyCatalog.Conv1DLeaves.Contains(leaf);
        long inputs = transpose ? tensor.Shape[0] : tensor.Shape[1];
        // LLM.int8() scales whole rows.
        bool unaligned = options.Target != PolicyTarget.Bnb8 && inputs % options.Blocksize != 0;
        Verdict verdict = OutOfReach(options, transpose, unaligned, inputs)
            ?? Exclusion(tensor, module, context)
            ?? Unfit(module, options, unaligned, inputs)
            ?? new Verdict(TensorAction.Quantize, RuleIds.Linear, transpose ? "Conv1D layer, transposed" : "linear layer");
        return verdict with { Unaligned = unaligned, Transpose = transpose };
    }

    // compressed-tensors applies its scheme to the class Linear, and its readers refuse a part of a group; no pattern helps.
    private static Verdict? OutOfReach(PolicyOptions options, bool transpose, bool unaligned, long inputs)
    {
        if (options.Target != PolicyTarget.CompressedTensors) return null;
        if (transpose)
            return Excluded(RuleIds.Conv1D, "Conv1D layer; compressed-tensors quantizes the class Linear") with { Forced = true };
        return unaligned ? Excluded(RuleIds.Unaligned, NoMultiple(inputs, options)) with { Forced = true } : null;
    }

    private static Verdict? Unfit(ModuleName module, PolicyOptions options, bool unaligned, long inputs)
    {
        if (options.Target == PolicyTarget.Bnb8 && !LeafNames.IsKnownLinear(module))
            return Excluded(RuleIds.UnknownLinear, "not a known name of a linear layer, and int8 forgives no mistake", module.Leaf);
        return unaligned && options.ExcludeUnaligned ? Excluded(RuleIds.Unaligned, NoMultiple(inputs, options)) : null;
    }

    private static string NoMultiple(long inputs, PolicyOptions options) => string.Create(
        CultureInfo.InvariantCulture, $"input width {inputs} is no multiple of {options.Blocksize}");

    private static Verdict? Exclusion(PolicyTensor tensor, ModuleName module, RuleContext context)
    {
        if (tensor.Shape[0] <= 0 || tensor.Shape[1] <= 0)
            return Excluded(RuleIds.Empty, "no elements") with { Forced = true };

        if (context.ExcludesTowers && Tower(module) is string tower)
            return Excluded(RuleIds.Multimodal, "part of the vision or audio side", tower);

        string leaf = module.Leaf;
        if (LeafNames.IsEmbeddingLike(leaf)) return Excluded(RuleIds.Embedding, "named like an embedding table", leaf);
        if (IsRouter(module)) return Excluded(RuleIds.Router, "expert router", leaf);
        if (Head(module, context) is string head) return Excluded(RuleIds.Head, "output head", head);
        if (leaf == "out_proj" && context.IsMultiheadAttention(module.Parent))
            return Excluded(RuleIds.MultiheadAttention, "nn.MultiheadAttention reads it directly") with { Forced = true };

        return KeptInFloat(module, context) ?? StateSpace(module, context) ?? DiffusionEnd(module, context);
    }

    private static Verdict? KeptInFloat(ModuleName module, RuleContext context)
    {
        if (module.Leaf == "wo" && context.IsFamily(FamilyCatalog.KeepWo))
            return Excluded(RuleIds.KeepFloat32, "overflows in half precision; its loader keeps it in float32", "wo");
        if (module.IndexOf("qformer") >= 0 && context.IsFamily(FamilyCatalog.KeepQformer))
            return Excluded(RuleIds.KeepFloat32, "its loader keeps the query transformer in float32", "qformer");
        return null;
    }

    private static Verdict? StateSpace(ModuleName module, RuleContext context)
    {
        const string Reason = "state-space layer: its kernel reads the weight as a plain matrix";
        if (module.IndexOf("altup") >= 0) return Excluded(RuleIds.StateSpace, "alternating-updates predictor", "altup");
        if (context.IsFamily(FamilyCatalog.StateSpaceHybrids))
        {
            if (module.IndexOf("mamba") >= 0) return Excluded(RuleIds.StateSpace, Reason, "mamba");
            if (module.Leaf is "dt_proj" or "x_proj" or "in_proj" or "out_proj" && module.IndexOf("mixer") >= 0)
                return Excluded(RuleIds.StateSpace, Reason, module.Leaf);
        }

        return module.Leaf is "dt_proj" or "x_proj" && context.IsFamily(FamilyCatalog.PureMamba)
            ? Excluded(RuleIds.StateSpace, Reason, module.Leaf)
            : null;
    }

    private static Verdict? DiffusionEnd(ModuleName module, RuleContext context)
    {
        if (!context.IsDiffusion) return null;
        // Wan nests it, and its loader keeps it in float32.
        if (module.IndexOf("time_embedder") >= 0)
            return Excluded(RuleIds.DiffusionEnds, "time embedding of a diffusion model", "time_embedder");

        string first = module.Components[0];
        bool isEnd = FamilyCatalog.DiffusionEnds.Contains(first) && (first != "proj_out" || context.CanSkipProjOut);
        return isEnd ? Excluded(RuleIds.DiffusionEnds, "first or last layer of a diffusion model", first) : null;
    }

    private static string? Head(ModuleName module, RuleContext context)
    {
        foreach (string component in module.Components)
            if (FamilyCatalog.Heads.Contains(component)) return component;

        string leaf = module.Leaf;
        if (FamilyCatalog.HeadLeaves.Contains(leaf)) return leaf;
        bool top = module.Parent is "" or "model" or "shared_head"
            || module.Parent.EndsWith(".shared_head", StringComparison.Ordinal);
        if (top && !context.IsDiffusion && FamilyCatalog.TopLevelHeads.Contains(leaf)) return leaf;
        bool maskedHead = leaf == "decoder"
            && (module.Parent == "predictions" || module.Parent.EndsWith(".predictions", StringComparison.Ordinal));
        return maskedHead ? leaf : null;
    }

    private static bool IsRouter(ModuleName module)
    {
        if (FamilyCatalog.RouterLeaves.Contains(module.Leaf)) return true;
        return module.Components.Count > 1
            && FamilyCatalog.RouterInnerLeaves.Contains(module.Leaf)
            && module.Components[^2] is "router" or "gate";
    }

    private static string? Tower(ModuleName module)
    {
        foreach (string component in module.Components)
            if (FamilyCatalog.Towers.Contains(component)) return component;

        return null;
    }

    private static bool IsBias(string name) =>
        name == "bias" || name.EndsWith(".bias", StringComparison.Ordinal) || name.EndsWith("_bias", StringComparison.Ordinal);

    /// <summary>A stack of experts: <c>experts</c> not followed by an expert's number, or Granite's fused linears.</summary>
    private static bool IsFusedExperts(PolicyTensor tensor, RuleContext context)
    {
        const string Marker = "experts.";
        if (tensor.Shape.Count < 2) return false;
        int at = tensor.Name.IndexOf(Marker, StringComparison.Ordinal);
        if (at >= 0)
        {
            int next = at + Marker.Length;
            bool numbered = next < tensor.Name.Length && char.IsAsciiDigit(tensor.Name[next]);
            bool shared = tensor.Name.AsSpan(0, at).EndsWith("shared_", StringComparison.Ordinal);
            bool plainMatrix = tensor.Shape.Count == 2 && ModuleName.PathOfWeight(tensor.Name) is not null;
            return !numbered && !shared && !plainMatrix;
        }

        return tensor.Shape.Count == 3
            && (tensor.Name.EndsWith("put_linear.weight", StringComparison.Ordinal)
                || context.Facts.ModelType?.Contains("moe", StringComparison.Ordinal) == true
                    && !tensor.Name.Contains("conv", StringComparison.Ordinal));
    }

    private static Verdict Excluded(string rule, string reason, string? hint = null) =>
        new(TensorAction.Copy, rule, reason) { NeedsCover = true, Hint = hint };
}
