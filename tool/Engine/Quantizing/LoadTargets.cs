using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// Holds a plan against the loaders it is meant for: adapts what can be adapted and refuses what they cannot load, with
/// what to do instead. Sources: docs/loaders.md.
/// </summary>
internal static class LoadTargets
{
    /// <summary>What becomes of experts: as asked, else kept where transformers 5 is to load them in a form it cannot fuse.</summary>
    public static ExpertChoice Experts(QuantizeRequest request) => Experts(request.Experts, request.LoadsIn, request.Recipe);

    /// <param name="asked">What was asked for; null for nothing.</param>
    public static ExpertChoice Experts(ExpertChoice? asked, IReadOnlyList<LoadTarget> targets, QuantizeRecipe recipe) =>
        asked ?? (targets.Contains(LoadTarget.Transformers5) && !FusesPacked(recipe) ? ExpertChoice.Keep : ExpertChoice.Pack);

    /// <summary>What is asked of a component of a pipeline. Each library loads its own; the loaders of whole models have no use for any.</summary>
    /// <param name="wanted">Loaders that are to read the pipeline.</param>
    /// <param name="experts">What becomes of experts, as asked for.</param>
    public static (IReadOnlyList<LoadTarget> Targets, ExpertChoice? Experts) OfComponent(Checkpoint component, IReadOnlyList<LoadTarget> wanted, ExpertChoice? experts)
    {
        bool isDiffusers = component.Config?.IsDiffusers == true;
        IReadOnlyList<LoadTarget> targets =
        [
            .. wanted.Where(target => target is not (LoadTarget.Transformers4 or LoadTarget.Transformers5 or LoadTarget.Diffusers)
                || (target == LoadTarget.Diffusers) == isDiffusers),
        ];
        // Experts are split for the loaders that were named, and none of them loads this one.
        bool isSplitForOthers = experts == ExpertChoice.Split && targets.Count == 0 && wanted.Count > 0;
        return (targets, isSplitForOthers ? null : experts);
    }

    /// <summary>Refuses a plan that one of the wanted loaders cannot load.</summary>
    /// <exception cref="UserErrorException">With the loader, the reason and a way forward.</exception>
    public static void Check(QuantizeRequest request, Checkpoint source, PolicyResult policy)
    {
        foreach (LoadTarget target in request.LoadsIn)
        {
            if (Obstacle(target, request, source, policy) is not var (reason, action)) continue;
            throw new UserErrorException(ExitCode.InputUnsupported, "LOADS-IN", $"{Name(target)} cannot load this output: {reason}")
            {
                File = source.ConfigPath ?? source.Folder,
                Facts = [("class", ClassOf(source, policy)), ("type", request.Recipe.Type)],
                Action = action,
            };
        }
    }

    /// <summary>The word of the option.</summary>
    public static string Name(LoadTarget target) => target.Word();

    private static (string Reason, string Action)? Obstacle(LoadTarget target, QuantizeRequest request, Checkpoint source, PolicyResult policy) => target switch
    {
        LoadTarget.Transformers4 => WithoutClass(Loader.Transformers4, "transformers 4", source, policy) ?? Transformers4(policy),
        LoadTarget.Transformers5 => WithoutClass(Loader.Transformers5, "transformers 5", source, policy) ?? Transformers5(request, policy),
        LoadTarget.Diffusers => WithoutClass(Loader.Diffusers, "diffusers", source, policy) ?? OnlyBitsAndBytes("diffusers", request),
        LoadTarget.Vllm => Vllm(request, source, policy) ?? Engine("vLLM", request, source, policy),
        LoadTarget.Sglang => Sglang(source, policy) ?? Engine("SGLang", request, source, policy),
        _ => Unknown("it trains models of transformers and diffusers, which", policy.Known.Parts.Count > 0, source) ?? OnlyBitsAndBytes("PEFT", request),
    };

    private static (string, string)? WithoutClass(Loader loader, string library, Checkpoint source, PolicyResult policy)
    {
        // Remote code is a class of its own, of which only its names are known.
        if (source.Config?.Has("auto_map") == true || policy.Known.Parts.Any(part => part.Class.IndexOf(loader) >= 0)) return null;
        return ($"{library} has no class of that name", "leave the word out of --loads-in, or correct the class in config.json");
    }

    // What it serves is not in the atlas, but it is of transformers or of vLLM.
    private static (string, string)? Sglang(Checkpoint source, PolicyResult policy) => Unknown(
        "it serves models that transformers or vLLM has, and these",
        policy.Known.Vllm is not null || policy.Known.Parts.Any(static part => part.Class.Loaders.Any(static loader => loader != Loader.Diffusers)),
        source);

    private static (string, string)? Unknown(string who, bool isKnown, Checkpoint source) => isKnown || source.Config?.Has("auto_map") == true
        ? null
        : ($"{who} have no class of that name", "leave the word out of --loads-in, or correct the class in config.json");

    private static (string, string)? Transformers4(PolicyResult policy)
    {
        var stacks = new ExpertStacks(policy.Known);
        return policy.FusedExperts.Any(experts => stacks.Find(experts.Name)?.IsReadBy(Loader.Transformers4) == true)
            ? ("it reads the experts of this class one by one, and here they are in one tensor", "use --experts split")
            : null;
    }

    private static (string, string)? Transformers5(QuantizeRequest request, PolicyResult policy)
    {
        if (request.Recipe is Int4Recipe { Symmetric: false })
            return ("compressed-tensors from 0.18 on does not unpack zero points there", "use --symmetric true");
        bool hasExperts = policy.Decisions.Any(static decision =>
            decision is { Action: TensorAction.Quantize, Known: { } known } && known.Facts.Has(LayerKind.Expert));
        if (!hasExperts || !request.Recipe.Quantizes || FusesPacked(request.Recipe)) return null;
        return (
            "it fuses experts when it loads them, which it cannot do with packed ones",
            $"{(request.Experts == ExpertChoice.Split ? "leave out --experts split: it loads the stacks as they are" : "use --experts keep")}, or -t int4, whose experts it fuses");
    }

    private static (string, string)? Vllm(QuantizeRequest request, Checkpoint source, PolicyResult policy)
    {
        if (policy.Known.Vllm is not { } model)
            return source.Config?.Has("auto_map") == true ? null : ("it has no such architecture", "leave the word out of --loads-in");
        if (IsBitsAndBytes(request) && !model.ReadsBitsAndBytes)
            return ($"its {model.Name} does not read bitsandbytes ({model.Problem ?? "no reason known"})", "use -t int4");
        return null;
    }

    private static (string, string)? Engine(string library, QuantizeRequest request, Checkpoint source, PolicyResult policy)
    {
        if (!IsBitsAndBytes(request)) return null;
        bool isBytes = request.Recipe is not Blockwise4Recipe { QuantStorage: not DType.U8 };
        IEnumerable<ServedTensor> tensors = policy.Decisions.Where(static decision => decision.Tensor.Shape.Count >= 2).Select(decision =>
            decision.Action == TensorAction.Quantize ? new ServedTensor(decision.Tensor.Name, request.Recipe.Type, isBytes) : new ServedTensor(decision.Tensor.Name, null));
        bool runsInFloat32 = request.CastTo is { } dtype ? dtype == ElementType.F32 : source.Tensors.Where(static tensor => tensor.Shape.Dimensions.Count == 2).All(static tensor => tensor.DType == DType.F32);
        bool hasStacks = policy.FusedExperts.Count > 0;
        return ServerLimits.Of(tensors, runsInFloat32).Select(found => Refusal(library, found.Limit, hasStacks)).FirstOrDefault();
    }

    private static (string, string)? Refusal(string library, ServerLimit limit, bool hasStacks) => limit switch
    {
        ServerLimit.StorageType => ($"{library} reads uint8 storage only", "use --quant-storage uint8"),
        ServerLimit.Float32 => ($"{library}'s bitsandbytes layers run in float16 and bfloat16 only", "use --dtype bfloat16"),
        ServerLimit.PackedExpertType => ($"{library} has packed experts as nf4 and int4 only", "use -t nf4 or -t int4"),
        ServerLimit.PlainExperts => ($"{library} takes all experts of a bitsandbytes checkpoint for packed", $"use --experts {(hasStacks ? "split" : "pack")}, or -t int4"),
        _ => ($"{library} finds no int8 scales of layers with capitals in their names", "use -t nf4 or -t int4"),
    };

    private static (string, string)? OnlyBitsAndBytes(string library, QuantizeRequest request) =>
        IsBitsAndBytes(request) || !request.Recipe.Quantizes ? null : ($"{library} reads bitsandbytes types only", "use -t nf4 or -t int8");

    private static bool IsBitsAndBytes(QuantizeRequest request) => request.Recipe.Quantizes && request.Recipe.Target != PolicyTarget.CompressedTensors;

    // Symmetric compressed-tensors weights are fused on load with the very values they decode to.
    private static bool FusesPacked(QuantizeRecipe recipe) => recipe is Int4Recipe { Symmetric: true };

    private static string ClassOf(Checkpoint source, PolicyResult policy) =>
        policy.Known.Whole?.Name ?? source.Config?.ModelType ?? "not named";
}
