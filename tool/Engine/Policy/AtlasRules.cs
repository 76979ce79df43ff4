using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>
/// Judges tensors that the atlas knows: packed is only what every library version with the class converts. What stays in its
/// source type by choice (towers, routers, state-space layers, ends of diffusion models) is asked of <see cref="LinearRules"/>.
/// </summary>
internal static class AtlasRules
{
    /// <summary>Judges one tensor of two or more dimensions and of a floating-point type.</summary>
    public static Verdict Judge(PolicyTensor tensor, ModuleName? module, KnownTensor known, RuleContext context)
    {
        Verdict verdict = JudgeKnown(tensor, module, known, context);
        // Most come with it: a copy for each of a hundred thousand tensors is felt.
        return verdict.Known is null ? verdict with { Known = known } : verdict;
    }

    private static Verdict JudgeKnown(PolicyTensor tensor, ModuleName? module, KnownTensor known, RuleContext context)
    {
        SavedTensor facts = known.Facts;
        if (module is not null && tensor.Shape.Count != 2) return LinearRules.NoMatrix(tensor, module);
        if (module is null)
            return Verdict.Never(RuleIds.NotWeight, "a parameter of its own, not a module's .weight") with { IsUnusualName = !facts.IsNeverLinear };
        if (facts.IsNeverLinear) return NotLinear(module, known, context);
        if (tensor.Shape[0] <= 0 || tensor.Shape[1] <= 0)
            return LinearRules.Excluded(RuleIds.Empty, "no elements") with { Forced = true };

        bool transpose = facts.IsConv1D && context.MayHaveConv1D;
        Verdict verdict = LinearRules.OutOfReach(tensor, transpose, context.Options)
            ?? NotEverywhere(module, known, context)
            ?? KeptOnLoading(known, context)
            ?? ByChoice(tensor, module, known, context)
            ?? LinearRules.Unaligned(tensor, transpose, context.Options)
            ?? Quantize(known, transpose, context);
        bool unaligned = LinearRules.IsUnaligned(tensor, transpose, context.Options);
        return unaligned || transpose ? verdict with { Unaligned = unaligned, Transpose = transpose } : verdict;
    }

    private static Verdict Quantize(KnownTensor known, bool transpose, RuleContext context)
    {
        string layer = transpose ? "Conv1D layer, transposed" : known.Facts.IsExpert ? "an expert's linear layer" : "linear layer";
        return new Verdict(TensorAction.Quantize, RuleIds.Linear, context.Reason(layer, known.Class)) { Known = known };
    }

    private static Verdict NotLinear(ModuleName module, KnownTensor known, RuleContext context)
    {
        Verdict never = Verdict.Never(RuleIds.NotLinear, $"no linear layer in {known.Class.Name}");
        if (LeafNames.IsEmbedding(module.Leaf)) return never with { Rule = RuleIds.Embedding, Reason = "embedding table" };
        if (LeafNames.IsNorm(module.Leaf)) return never with { Rule = RuleIds.Norm, Reason = "normalization" };
        // Where the libraries read a router as a parameter, vLLM may have a linear layer.
        return LinearRules.IsRouter(module, context)
            ? never with { Rule = RuleIds.Router, Reason = "expert router", LikesCover = true, Hint = module.Leaf }
            : never;
    }

    private static Verdict? NotEverywhere(ModuleName module, KnownTensor known, RuleContext context)
    {
        SavedTensor facts = known.Facts;
        if (facts.IsLinearEverywhere || facts.IsExpert) return null;
        if (facts.Has(LayerKind.Rebuilt))
        {
            return new Verdict(TensorAction.Copy, RuleIds.Rebuilt, "transformers 5 splits or merges it when it loads")
            {
                Forced = true,
                LikesCover = true,
            };
        }

        if (facts.Has(LayerKind.Kept))
        {
            return IsKeptInFloat32(known, context)
                ? LinearRules.Excluded(RuleIds.KeepFloat32, "its loader keeps it in float32")
                : LinearRules.Excluded(RuleIds.Head, $"{known.Class.Name} keeps it by default: an output head, tied or last", module.Leaf);
        }

        if (LinearRules.IsRouter(module, context)) return LinearRules.Excluded(RuleIds.Router, "expert router", module.Leaf);
        return facts.Has(LayerKind.Subclass)
            ? LinearRules.Excluded(RuleIds.Subclass, "a subclass of the linear layer, which transformers 5 does not convert")
            : LinearRules.Excluded(RuleIds.NotLinear, $"not in every version of {known.Class.Name} a linear layer");
    }

    // Loaders add these names to every list, so that a packed layer among them would meet a plain one.
    private static Verdict? KeptOnLoading(KnownTensor known, RuleContext context)
    {
        bool kept = IsKeptInFloat32(known, context) && context.Options.Target != PolicyTarget.CompressedTensors;
        return kept ? LinearRules.Excluded(RuleIds.KeepFloat32, "its loader keeps it in float32") with { Forced = true } : null;
    }

    private static bool IsKeptInFloat32(KnownTensor known, RuleContext context)
    {
        for (int i = 0; i < known.Class.Loaders.Count; i++)
        {
            Loader loader = known.Class.Loaders[i];
            if (known.Facts.Kinds[i] == LayerKind.Absent || !context.KeptInFloat32.HasAny(known.Class, loader)) continue;
            string name = known.MemoryName(i);
            if (context.KeptInFloat32.InSome(known.Class, loader, ModuleName.PathOfWeight(name) ?? name)) return true;
        }

        return false;
    }

    private static Verdict? ByChoice(PolicyTensor tensor, ModuleName module, KnownTensor known, RuleContext context)
    {
        if (known.IsOutsideLanguage && !context.Options.QuantizeVision)
            return LinearRules.Excluded(RuleIds.Multimodal, "not a part of the language model", LinearRules.Tower(module));
        if (LinearRules.IsRouter(module, context)) return LinearRules.Excluded(RuleIds.Router, "expert router", module.Leaf);
        if (LinearRules.MultiheadAttention(module, context) is { } attention) return attention;
        if (known.Facts.IsExpert && context.Options.Experts == ExpertChoice.Keep)
            return LinearRules.Excluded(RuleIds.Experts, "transformers 5 fuses it with the other experts", "experts");
        if (LinearRules.StateSpace(module, context) is { } stateSpace) return stateSpace;
        if (known.Class.IndexOf(Loader.Diffusers) < 0) return null;
        if (module.Path.Contains("bias", StringComparison.Ordinal))
            return LinearRules.Excluded(RuleIds.ReadRaw, "diffusers takes a name with \"bias\" in it for a bias") with { Forced = true };
        // torch's own attention function is handed these weights, not the layers.
        if (module.Leaf is "q_proj" or "k_proj" or "v_proj" or "c_proj" && module.Components.Count > 1 && module.Components[^2] == "pooler")
            return LinearRules.Excluded(RuleIds.ReadRaw, "its weights are read directly") with { Forced = true };
        return LinearRules.DiffusionEnd(module, context);
    }
}
