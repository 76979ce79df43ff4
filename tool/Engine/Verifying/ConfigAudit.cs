using System.Text.Json;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Policy.SkipLists;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;

namespace Bnb.Engine.Verifying;

/// <summary>
/// Whether config.json says what the tensors are: loaders decide by it, and some load the wrong thing without a word.
/// </summary>
internal static class ConfigAudit
{
    private const string Rule = "config";
    private const int MostNamed = 5;

    public static IEnumerable<Finding> Run(QuantizedCheckpoint quantized, ModelFacts facts)
    {
        if (quantized.Source.Config is not { } config)
        {
            yield return new Finding(Rule, "there is no config.json beside the weights", Fails: false);
            yield break;
        }

        if (config.Quantization is not { } settings || (config.Has("compression_config") && !config.Has("quantization_config")))
        {
            yield return new Finding(Rule, "config.json has no quantization_config: loaders take the packed bytes for weights", Fails: true);
            yield break;
        }

        if (quantized.Weights.Count == 0) yield break;
        IEnumerable<Finding> lists = IsPacked(quantized)
            ? Int4ConfigAudit.List(quantized, settings, facts)
            : SkipListFindings(quantized, settings, facts);
        foreach (Finding finding in Members(quantized).Concat(lists)) yield return finding;
    }

    /// <summary>What the members say about the tensors, lists of modules aside.</summary>
    public static IEnumerable<Finding> Members(QuantizedCheckpoint quantized)
    {
        // Of what could not be read another finding tells already.
        if (quantized.Source.Config is not { Quantization: { } settings } config || quantized.Weights.Count == 0) yield break;
        bool isPacked = IsPacked(quantized);
        string method = isPacked ? "compressed-tensors" : "bitsandbytes";
        if (config.QuantMethod != method)
            yield return new Finding(Rule, $"quant_method is {DisplayText.Escape(config.QuantMethod ?? "missing")}, not {method}", Fails: true);
        if (isPacked && quantized.Weights.Any(weight => weight is not (Int4Weight or ScaledFloatWeight)))
            yield return new Finding(Rule, "there are weights of bitsandbytes and of compressed-tensors: no loader takes both", Fails: true);
        IEnumerable<Finding> findings = isPacked
            ? Int4ConfigAudit.Members(quantized, settings)
            : BitsAndBytes(quantized, config.Settings!.Value, settings);
        foreach (Finding finding in findings) yield return finding;
    }

    /// <summary>Weights of compressed-tensors, not of bitsandbytes.</summary>
    private static bool IsPacked(QuantizedCheckpoint quantized) => quantized.Weights.Any(static weight => weight is Int4Weight or ScaledFloatWeight);

    private static IEnumerable<Finding> BitsAndBytes(QuantizedCheckpoint quantized, JsonElement json, QuantizationSettings settings)
    {
        List<BnbWeight> blockwise = [.. quantized.Weights.OfType<BnbWeight>()];
        foreach (string type in blockwise.Select(weight => weight.Type).Distinct())
        {
            if (json.TryGetProperty("bnb_4bit_quant_type", out JsonElement said) && said.ValueKind == JsonValueKind.String && said.GetString() != type)
                yield return new Finding(Rule, $"bnb_4bit_quant_type is {DisplayText.Escape(said.GetString()!)}, tensors are {type}", Fails: true);
        }

        foreach (bool nested in blockwise.Select(weight => weight.IsNested).Distinct())
        {
            if (json.TryGetProperty("bnb_4bit_use_double_quant", out JsonElement said) && said.ValueKind is JsonValueKind.True or JsonValueKind.False
                && said.GetBoolean() != nested)
                yield return new Finding(Rule, $"bnb_4bit_use_double_quant is {said.GetRawText()}, tensors are {(nested ? "" : "not ")}double-quantized", Fails: true);
        }

        bool has8 = quantized.Weights.Any(weight => weight is Int8Weight);
        if (blockwise.Count > 0 && has8)
            yield return new Finding(Rule, "there are 4-bit and 8-bit weights: a config can only say one of them", Fails: true);
        if (blockwise.Count > 0 && settings.LoadIn4Bit != true)
            yield return new Finding(Rule, "load_in_4bit is not true, tensors are 4-bit", Fails: true);
        if (!has8) yield break;
        if (settings.LoadIn8Bit != true) yield return new Finding(Rule, "load_in_8bit is not true, tensors are 8-bit", Fails: true);
        if (settings.IsInt8ThresholdFloat == false)
            yield return new Finding(Rule, "llm_int8_threshold is written without a decimal point: transformers refuses it", Fails: true);
    }

    /// <summary>No matcher of any loader may skip a quantized module; every matcher should skip the float matrices.</summary>
    private static IEnumerable<Finding> SkipListFindings(QuantizedCheckpoint quantized, QuantizationSettings settings, ModelFacts facts)
    {
        if (settings.SkipModules is not { } list)
        {
            List<string> plain = [.. PlainLinears(quantized, facts, PolicyTarget.Bnb4, 64)];
            yield return plain.Count == 0
                ? new Finding(Rule, "llm_int8_skip_modules is not given: each loader version makes its own list", Fails: false)
                : new Finding(
                    Rule,
                    $"llm_int8_skip_modules is not given, and loaders convert {plain.Count} linear modules that are not quantized here: {Named(plain)}",
                    Fails: true);
            yield break;
        }

        List<string> unreadable = [.. list.Where(entry => !SkipList.IsReadable(entry))];
        if (unreadable.Count > 0)
        {
            yield return new Finding(
                Rule, $"{unreadable.Count} entries of llm_int8_skip_modules cannot be read as a regular expression, first {DisplayText.Escape(unreadable[0])}", Fails: false);
        }

        var skips = new SkipList(list.Except(unreadable, StringComparer.Ordinal));
        List<string> hit = [.. quantized.Weights.Select(weight => ModuleName.WithoutWeight(weight.Name)).Where(skips.MatchesAny)];
        if (hit.Count > 0)
        {
            yield return new Finding(
                Rule, $"llm_int8_skip_modules skips {hit.Count} quantized modules in some loader, first {DisplayText.Escape(hit[0])}", Fails: true);
        }

        // A list that is given is all there is: loaders convert output heads too, which they would know by themselves.
        List<string> unlisted = [], missed = [];
        PolicyResult decided = DecidePlain(quantized, facts, PolicyTarget.Bnb4, 64);
        foreach (TensorDecision decision in decided.Decisions.Take(quantized.Plain.Count))
        {
            string module = ModuleName.WithoutWeight(decision.Tensor.Name);
            if (!IsLinear(decision) && decision.Rule != RuleIds.Head) continue;
            if (!decided.Readers.Of(new ModuleName(module), decision.Known).Any(skips.MatchesAny)) unlisted.Add(module);
            else if (IsLinear(decision) && !skips.MatchesAll(module)) missed.Add(module);
        }

        if (unlisted.Count > 0)
        {
            yield return new Finding(
                Rule, $"llm_int8_skip_modules does not name {unlisted.Count} linear modules that are not quantized here, and loaders convert them: {Named(unlisted)}", Fails: true);
        }

        if (missed.Count > 0)
        {
            yield return new Finding(
                Rule, $"llm_int8_skip_modules misses {missed.Count} unquantized linear modules in some loader, first {DisplayText.Escape(missed[0])}", Fails: false);
        }
    }

    private static string Named(List<string> modules) =>
        DisplayText.Escape(string.Join(", ", modules.Take(MostNamed))) + (modules.Count > MostNamed ? ", …" : "");

    /// <summary>Modules that are not quantized here and that are linear layers by the rules.</summary>
    public static IEnumerable<string> PlainLinears(QuantizedCheckpoint quantized, ModelFacts facts, PolicyTarget target, int blocksize) =>
        DecidePlain(quantized, facts, target, blocksize).Decisions.Take(quantized.Plain.Count).Where(IsLinear)
            .Select(static decision => ModuleName.WithoutWeight(decision.Tensor.Name));

    /// <summary>What would be quantized, or is a linear layer in every library that has the class: a router, a first layer.</summary>
    private static bool IsLinear(TensorDecision decision) => decision.Action == TensorAction.Quantize
        || (decision.Known is { Facts.IsLinearEverywhere: true } && decision.Rule is not (RuleIds.KeepFloat32 or RuleIds.ReadRaw or RuleIds.Empty));

    /// <summary>Decisions about the plain tensors, in their order, and then about the packed ones.</summary>
    private static PolicyResult DecidePlain(QuantizedCheckpoint quantized, ModelFacts facts, PolicyTarget target, int blocksize)
    {
        var options = new PolicyOptions(blocksize, false, true, [], target);
        IEnumerable<PolicyTensor> plain = quantized.Plain.Select(static tensor => new PolicyTensor(
            tensor.Name, tensor.Shape.Dimensions, tensor.DType is DType.F16 or DType.BF16 or DType.F32, tensor.ByteCount));
        // The packed ones belong to the picture: by all names together the model's class is found.
        IEnumerable<PolicyTensor> packed = quantized.Weights.Select(static weight => new PolicyTensor(weight.Name, [weight.Rows, weight.Columns], true, 0));
        return QuantizationPolicy.Decide([.. plain, .. packed], facts, options);
    }
}
