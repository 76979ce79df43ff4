using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;

namespace Bnb.Engine.Linting;

/// <summary>vLLM and SGLang: they fuse layers, rename modules, and compare lists with the names after that.</summary>
internal sealed class ServerRules(LintedCheckpoint checkpoint, bool isVllm, LintCollector found)
{
    public void Run()
    {
        if (checkpoint.IsBitsAndBytes) BitsAndBytes();
        if (isVllm && checkpoint.Known.Whole is not null && checkpoint.Known.Vllm is null && checkpoint.Config?.Has("auto_map") != true)
            found.AddWhole(LintRules.NoClass, LintLevel.Error, LintRules.NoClass.Title);
        if (isVllm && checkpoint.IsCompressed) Ignored();
        Groups();
    }

    private void BitsAndBytes()
    {
        if (isVllm && checkpoint.Known.Vllm is { ReadsBitsAndBytes: false } model)
            found.AddWhole(LintRules.NoBitsAndBytes, LintLevel.Error, $"{model.Name} has no support for bitsandbytes there ({model.Problem ?? "no reason known"})");
        IEnumerable<ServedTensor> tensors = checkpoint.Tensors.Select(static tensor =>
            new ServedTensor(tensor.Name, tensor.Packed?.Type, tensor.Packed is not BnbWeight { Packed.DType: not DType.U8 }));
        foreach ((ServerLimit limit, string? tensor) in ServerLimits.Of(tensors, checkpoint.Config?.TorchDType == "float32"))
        {
            if (tensor is null) found.AddWhole(RuleOf(limit), LintLevel.Error, RuleOf(limit).Title);
            else found.Add(RuleOf(limit), LintLevel.Error, tensor);
        }

        if (checkpoint.Weights.Weights.Any(static weight => weight is BnbWeight { IsNested: true }))
            found.AddWhole(LintRules.OffsetRounded, LintLevel.Note, LintRules.OffsetRounded.Title);
    }

    private static LintRule RuleOf(ServerLimit limit) => limit switch
    {
        ServerLimit.StorageType => LintRules.StorageType,
        ServerLimit.Float32 => LintRules.Float32,
        ServerLimit.PackedExpertType => LintRules.PackedExpertType,
        ServerLimit.PlainExperts => LintRules.PlainExperts,
        _ => LintRules.Capitals,
    };

    /// <summary>A fused layer is packed whole or plain whole, and a plain one must be skipped by its fused name.</summary>
    private void Groups()
    {
        Dictionary<string, (bool Packed, bool Plain)> layers = new(StringComparer.Ordinal);
        foreach (LintedTensor tensor in checkpoint.Tensors)
        {
            if (tensor.Known is { Facts.IsNeverLinear: true } || tensor.Name.Contains(".experts.", StringComparison.Ordinal)) continue;
            if (tensor.Packed is null && tensor.Known is null && !checkpoint.LinearByName.Contains(tensor.Name)) continue;
            if (tensor.Packed is null && ModuleName.PathOfWeight(tensor.Name) is null) continue;
            foreach (string layer in LayersOf(tensor))
            {
                (bool packed, bool plain) = layers.GetValueOrDefault(layer);
                layers[layer] = (packed || tensor.Packed is not null, plain || tensor.Packed is null);
            }
        }

        foreach ((string layer, (bool packed, bool plain)) in layers)
        {
            if (packed && plain) found.Add(LintRules.MixedGroup, LintLevel.Error, layer);
            else if (!checkpoint.IsCompressed && checkpoint.Skips is { } list)
            {
                if (packed && list.MatchesVllm(layer)) found.Add(LintRules.PackedButSkipped, LintLevel.Error, layer);
                // The plugin packs it on the fly, without a word.
                if (plain && !IsHead(layer) && !list.MatchesVllm(layer)) found.Add(LintRules.PlainNotSkipped, LintLevel.Warning, layer);
            }
        }
    }

    private List<string> LayersOf(LintedTensor tensor)
    {
        string? module = checkpoint.Known.Vllm is { } vllm ? vllm.Rename(tensor.Module) : tensor.Module;
        if (module is null) return [];
        List<string> fused = [.. checkpoint.Names.Groups.Holding(module).Select(group => group.Group.FusedName(module, group.Part))];
        return fused.Count > 0 ? fused : [module];
    }

    // lm_head and embeddings are never quantized there.
    private static bool IsHead(string layer) => FamilyCatalog.Heads.Contains(layer[(layer.LastIndexOf('.') + 1)..]);

    private void Ignored()
    {
        foreach (LintedTensor tensor in checkpoint.Tensors.Where(static tensor => tensor.Packed is Int4Weight or ScaledFloatWeight))
        {
            string? module = checkpoint.Known.Vllm is { } vllm ? vllm.Rename(tensor.Module) : tensor.Module;
            if (module is not null && checkpoint.Ignores.Ask(IgnoreReader.Vllm, module) != IgnoreAnswer.Quantized)
                found.Add(LintRules.PackedButSkipped, LintLevel.Error, tensor.Name);
        }
    }
}
