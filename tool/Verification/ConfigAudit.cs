using System.Text.Json;
using Bnb.Formats;
using Bnb.Formats.BitsAndBytes;
using Bnb.Tool.Policy;
using Bnb.Tool.Policy.SkipLists;

namespace Bnb.Tool.Verification;

/// <summary>
/// Whether config.json says what the tensors are: loaders decide by it, and some load the wrong thing without a word.
/// </summary>
internal static class ConfigAudit
{
    private const string Rule = "config";

    public static IEnumerable<Finding> Run(BnbCheckpoint quantized, ModelFacts facts)
    {
        if (quantized.Source.Config is not { } config)
        {
            yield return new Finding(Rule, "there is no config.json beside the weights", Fails: false);
            yield break;
        }

        if (!config.Has("quantization_config") || config.Root.GetProperty("quantization_config") is not { ValueKind: JsonValueKind.Object } settings)
        {
            yield return new Finding(Rule, "config.json has no quantization_config: loaders take the packed bytes for weights", Fails: true);
            yield break;
        }

        if (config.QuantMethod != "bitsandbytes")
            yield return new Finding(Rule, $"quant_method is {DisplayText.Escape(config.QuantMethod ?? "missing")}, not bitsandbytes", Fails: true);
        foreach (string type in quantized.Weights.Select(weight => weight.State.QuantType).Distinct())
        {
            if (settings.TryGetProperty("bnb_4bit_quant_type", out JsonElement said) && said.ValueKind == JsonValueKind.String && said.GetString() != type)
                yield return new Finding(Rule, $"bnb_4bit_quant_type is {DisplayText.Escape(said.GetString()!)}, tensors are {type}", Fails: true);
        }

        foreach (bool nested in quantized.Weights.Select(weight => weight.IsNested).Distinct())
        {
            if (settings.TryGetProperty("bnb_4bit_use_double_quant", out JsonElement said) && said.ValueKind is JsonValueKind.True or JsonValueKind.False
                && said.GetBoolean() != nested)
                yield return new Finding(Rule, $"bnb_4bit_use_double_quant is {said.GetRawText()}, tensors are {(nested ? "" : "not ")}double-quantized", Fails: true);
        }

        foreach (Finding finding in SkipListFindings(quantized, settings, facts)) yield return finding;
    }

    /// <summary>No matcher of any loader may skip a quantized module; every matcher should skip the float matrices.</summary>
    private static IEnumerable<Finding> SkipListFindings(BnbCheckpoint quantized, JsonElement settings, ModelFacts facts)
    {
        if (!settings.TryGetProperty("llm_int8_skip_modules", out JsonElement list) || list.ValueKind != JsonValueKind.Array)
        {
            yield return new Finding(Rule, "llm_int8_skip_modules is not given: each loader version makes its own list", Fails: false);
            yield break;
        }

        var skips = new SkipList(list.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!));
        List<string> hit = [.. quantized.Weights.Select(weight => Module(weight.Name)).Where(skips.MatchesAny)];
        if (hit.Count > 0)
        {
            yield return new Finding(
                Rule, $"llm_int8_skip_modules skips {hit.Count} quantized modules in some loader, first {DisplayText.Escape(hit[0])}", Fails: true);
        }

        var options = new PolicyOptions(64, false, true, []);
        IReadOnlyList<PolicyTensor> plain =
        [
            .. quantized.Plain.Select(tensor => new PolicyTensor(
                tensor.Name, tensor.Shape.Dimensions, tensor.DType is DType.F16 or DType.BF16 or DType.F32, tensor.ByteCount)),
        ];
        List<string> missed = plain.Count == 0
            ? []
            : [.. QuantizationPolicy.Decide(plain, facts, options).Decisions
                .Where(decision => decision.Action == TensorAction.Quantize)
                .Select(decision => Module(decision.Tensor.Name)).Where(name => !skips.MatchesAll(name))];
        if (missed.Count > 0)
        {
            yield return new Finding(
                Rule, $"llm_int8_skip_modules misses {missed.Count} unquantized linear modules in some loader, first {DisplayText.Escape(missed[0])}", Fails: false);
        }
    }

    private static string Module(string name) => name.EndsWith(".weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name;
}
