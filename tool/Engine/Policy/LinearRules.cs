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
        if (IsFusedExperts(tensor, context.Facts))
            return Verdict.Never(RuleIds.FusedExperts, "experts fused into one tensor; only linear layers are quantized");
        if (tensor.Shape.Count >= 2 && context.Known.Find(tensor.Name) is { } known)
            return AtlasRules.Judge(tensor, module, known, context);
        return JudgeByName(tensor, module, context) with { IsUnknownName = context.Known.Parts.Count > 0 && tensor.Shape.Count >= 2 && !tensor.IsSplit };
    }

    private static Verdict JudgeByName(PolicyTensor tensor, ModuleName? module, RuleContext context)
    {
        if (module is null) return Verdict.Never(RuleIds.NotWeight, "a parameter of its own, not a module's .weight");
        return tensor.Shape.Count == 2 ? JudgeMatrix(tensor, module, context) : NoMatrix(tensor, module);
    }

    /// <summary>The verdict on a module's weight that is no matrix.</summary>
    public static Verdict NoMatrix(PolicyTensor tensor, ModuleName module) => LeafNames.IsNorm(module.Leaf)
        ? Verdict.Never(RuleIds.Norm, "normalization")
        : Verdict.Never(RuleIds.NotMatrix, "not a matrix: shape " + RuleContext.Describe(tensor.Shape));

    /// <summary>The output layer of an <c>nn.MultiheadAttention</c>, whose weight is read and whose forward never runs.</summary>
    public static Verdict? MultiheadAttention(ModuleName module, RuleContext context) =>
        module.Leaf == "out_proj" && context.IsMultiheadAttention(module.Parent)
            ? Excluded(RuleIds.MultiheadAttention, "nn.MultiheadAttention reads it directly") with { Forced = true }
            : null;

    private static Verdict JudgeMatrix(PolicyTensor tensor, ModuleName module, RuleContext context)
    {
        string leaf = module.Leaf;
        if (LeafNames.IsEmbedding(leaf)) return Verdict.Never(RuleIds.Embedding, "embedding table");
        if (LeafNames.IsNorm(leaf)) return Verdict.Never(RuleIds.Norm, "normalization");
        // Remote code may build adapters into the model, whose loader would convert them like every linear layer.
        if (LeafNames.Adapter(module) is string factor) return Excluded(RuleIds.Adapter, "factor of an adapter", factor) with { Forced = true };

        PolicyOptions options = context.Options;
        bool transpose = context.HasConv1D && FamilyCatalog.Conv1DLeaves.Contains(leaf);
        Verdict verdict = OutOfReach(tensor, transpose, options)
            ?? Exclusion(tensor, module, context)
            ?? Unfamiliar(module, options)
            ?? Unaligned(tensor, transpose, options)
            ?? new Verdict(TensorAction.Quantize, RuleIds.Linear, transpose ? "Conv1D layer, transposed" : "linear layer, judged by its name");
        return verdict with { Unaligned = IsUnaligned(tensor, transpose, options), Transpose = transpose };
    }

    /// <summary>
    /// compressed-tensors applies its scheme to the class Linear, and its readers refuse a part of a group; no pattern helps.
    /// </summary>
    public static Verdict? OutOfReach(PolicyTensor tensor, bool transpose, PolicyOptions options)
    {
        if (options.Target != PolicyTarget.CompressedTensors) return null;
        if (transpose)
            return Excluded(RuleIds.Conv1D, "Conv1D layer; compressed-tensors quantizes the class Linear") with { Forced = true };
        return IsUnaligned(tensor, transpose, options)
            ? Excluded(RuleIds.Unaligned, NoMultiple(tensor, transpose, options)) with { Forced = true }
            : null;
    }

    /// <summary>Left out on request because its input width is no multiple of the block size.</summary>
    public static Verdict? Unaligned(PolicyTensor tensor, bool transpose, PolicyOptions options) =>
        options.ExcludeUnaligned && IsUnaligned(tensor, transpose, options)
            ? Excluded(RuleIds.Unaligned, NoMultiple(tensor, transpose, options))
            : null;

    /// <summary>The input width is no multiple of the block size. LLM.int8() scales whole rows and has no blocks.</summary>
    public static bool IsUnaligned(PolicyTensor tensor, bool transpose, PolicyOptions options) =>
        options.Target != PolicyTarget.Bnb8 && Inputs(tensor, transpose) % BlocksizeOf(tensor, options) != 0;

    private static long Inputs(PolicyTensor tensor, bool transpose) => transpose ? tensor.Shape[0] : tensor.Shape[1];

    private static Verdict? Unfamiliar(ModuleName module, PolicyOptions options) =>
        options.Target == PolicyTarget.Bnb8 && !LeafNames.IsKnownLinear(module)
            ? Excluded(RuleIds.UnknownLinear, "not a known name of a linear layer, and int8 forgives no mistake", module.Leaf)
            : null;

    private static string NoMultiple(PolicyTensor tensor, bool transpose, PolicyOptions options) => string.Create(
        CultureInfo.InvariantCulture, $"input width {Inputs(tensor, transpose)} is no multiple of {BlocksizeOf(tensor, options)}");

    private static int BlocksizeOf(PolicyTensor tensor, PolicyOptions options) => options.BlocksizeOf?.Invoke(tensor.Name) ?? options.Blocksize;

    private static Verdict? Exclusion(PolicyTensor tensor, ModuleName module, RuleContext context)
    {
        if (tensor.Shape[0] <= 0 || tensor.Shape[1] <= 0)
            return Excluded(RuleIds.Empty, "no elements") with { Forced = true };

        if (context.ExcludesTowers && Tower(module) is string tower)
            return Excluded(RuleIds.Multimodal, "part of the vision or audio side", tower);

        string leaf = module.Leaf;
        if (DiffusionEnd(module, context) is { } end) return end;
        if (LeafNames.IsEmbeddingLike(leaf) || LeafNames.IsTableOfSeveral(module)) return Excluded(RuleIds.Embedding, "named like an embedding table", leaf);
        if (IsRouter(module, context)) return Excluded(RuleIds.Router, "expert router", leaf);
        if (Head(module, context) is string head) return Excluded(RuleIds.Head, "output head", head);
        return MultiheadAttention(module, context) ?? KeptInFloat(module, context) ?? StateSpace(module, context);
    }

    private static Verdict? KeptInFloat(ModuleName module, RuleContext context)
    {
        if (module.Leaf == "wo" && context.IsFamily(FamilyCatalog.KeepWo))
            return Excluded(RuleIds.KeepFloat32, "overflows in half precision; its loader keeps it in float32", "wo");
        if (module.IndexOf("qformer") >= 0 && context.IsFamily(FamilyCatalog.KeepQformer))
            return Excluded(RuleIds.KeepFloat32, "its loader keeps the query transformer in float32", "qformer");
        return null;
    }

    /// <summary>State-space layers whose kernels read the weights as plain matrices.</summary>
    public static Verdict? StateSpace(ModuleName module, RuleContext context)
    {
        const string Reason = "state-space layer: its kernel reads the weight as a plain matrix";
        if (module.IndexOf("altup") >= 0) return Excluded(RuleIds.StateSpace, "alternating-updates predictor", "altup");
        if (context.IsStateSpaceHybrid)
        {
            if (module.IndexOf("mamba") >= 0) return Excluded(RuleIds.StateSpace, Reason, "mamba");
            if (module.Leaf is "dt_proj" or "x_proj" or "in_proj" or "out_proj" && module.IndexOf("mixer") >= 0)
                return Excluded(RuleIds.StateSpace, Reason, module.Leaf);
        }

        return module.Leaf is "dt_proj" or "x_proj" && context.IsPureMamba
            ? Excluded(RuleIds.StateSpace, Reason, module.Leaf)
            : null;
    }

    /// <summary>First and last layers of diffusion transformers.</summary>
    public static Verdict? DiffusionEnd(ModuleName module, RuleContext context)
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

        foreach (string component in module.Components.TakeWhile(static part => !part.All(char.IsAsciiDigit)))
            if (LeafNames.IsHead(component)) return component;

        string leaf = module.Leaf;
        if (FamilyCatalog.HeadLeaves.Contains(leaf)) return leaf;
        bool top = module.Parent is "" or "model" or "shared_head"
            || module.Parent.EndsWith(".shared_head", StringComparison.Ordinal);
        if (top && !context.IsDiffusion && FamilyCatalog.TopLevelHeads.Contains(leaf)) return leaf;
        bool maskedHead = leaf == "decoder"
            && (module.Parent == "predictions" || module.Parent.EndsWith(".predictions", StringComparison.Ordinal));
        return maskedHead ? leaf : null;
    }

    /// <summary>Whether the name is an expert router's, and the neighbours do not say that it is a feed-forward's gate.</summary>
    public static bool IsRouter(ModuleName module, RuleContext context)
    {
        if (FamilyCatalog.RouterLeaves.Contains(module.Leaf)) return module.Leaf != "gate" || !context.IsGateOfFeedForward(module);
        return FamilyCatalog.RouterInnerLeaves.Contains(module.Leaf)
            && module.Components.Count > 1
            && module.Components[^2] is "router" or "gate";
    }

    /// <summary>The component of the name that is a tower's or projector's, or null.</summary>
    public static string? Tower(ModuleName module)
    {
        foreach (string component in module.Components)
            if (FamilyCatalog.Towers.Contains(component)) return component;

        return null;
    }

    /// <summary>Whether the name is a bias's.</summary>
    public static bool IsBias(string name) =>
        name == "bias" || name.EndsWith(".bias", StringComparison.Ordinal) || name.EndsWith("_bias", StringComparison.Ordinal);

    /// <summary>A stack of experts: <c>experts</c> not followed by an expert's number, or Granite's fused linears.</summary>
    public static bool IsFusedExperts(PolicyTensor tensor, ModelFacts facts)
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
                || facts.ModelType?.Contains("moe", StringComparison.Ordinal) == true
                    && !tensor.Name.Contains("conv", StringComparison.Ordinal));
    }

    /// <summary>Copied, and every consumer must skip it.</summary>
    public static Verdict Excluded(string rule, string reason, string? hint = null) =>
        new(TensorAction.Copy, rule, reason) { NeedsCover = true, Hint = hint };
}
