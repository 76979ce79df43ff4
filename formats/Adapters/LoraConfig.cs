using System.Text.Json;
using System.Text.RegularExpressions;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Adapters;

/// <summary>
/// What a PEFT <c>adapter_config.json</c> says about a LoRA adapter, as far as merging needs it. Source: PEFT 0.21,
/// <c>tuners/lora/config.py</c>.
/// </summary>
public sealed class LoraConfig
{
    // These initializations change the base weights, so that the adapter belongs to what is left of them.
    private static readonly string[] BaseChanging = ["pissa", "olora", "corda", "lora_ga", "loftq"];

    private readonly JsonElement _root;
    private readonly List<(Regex Pattern, double Alpha)> _alphas;

    private LoraConfig(JsonElement root, List<(Regex Pattern, double Alpha)> alphas) => (_root, _alphas) = (root, alphas);

    /// <summary><c>use_rslora</c>: alpha is divided by the root of the rank.</summary>
    public bool IsRankStabilized => JsonRead.Flag(_root, "use_rslora") ?? false;

    /// <summary><c>use_dora</c>: rows are scaled to learned lengths.</summary>
    public bool IsDora => JsonRead.Flag(_root, "use_dora") ?? false;

    /// <summary><c>fan_in_fan_out</c>: weights are [in, out].</summary>
    public bool IsFanInFanOut => JsonRead.Flag(_root, "fan_in_fan_out") ?? false;

    /// <summary>Reads a config and refuses adapters that a merge would get wrong.</summary>
    /// <param name="utf8">The whole file.</param>
    /// <param name="file">Path for messages.</param>
    /// <exception cref="CheckpointFormatException">CFG-JSON, CFG-SCHEMA, or LORA-UNSUP: another kind of adapter.</exception>
    public static LoraConfig Parse(ReadOnlyMemory<byte> utf8, string file)
    {
        JsonElement root = ModelConfig.Parse(utf8, file).Root;
        if (Refusal(root) is { } reason)
        {
            throw new CheckpointFormatException(
                FormatError.AdapterUnsupported,
                "the adapter cannot be merged here",
                file,
                facts: [("found", reason)],
                action: "merge it with PEFT: merge_and_unload(), then save_pretrained()");
        }

        return new LoraConfig(root, Patterns(root, file));
    }

    /// <summary>alpha / rank of a module, or alpha over the root of the rank; as float64, as Python computes it.</summary>
    /// <param name="module">The module's name.</param>
    /// <param name="rank">Rows of its <c>lora_A</c>, which <c>rank_pattern</c> has decided.</param>
    public double Scaling(string module, long rank)
    {
        double alpha = _alphas.Where(entry => entry.Pattern.IsMatch(module)).Select(entry => (double?)entry.Alpha).FirstOrDefault()
            ?? Number(_root, "lora_alpha")!.Value;
        return IsRankStabilized ? alpha / Math.Sqrt(rank) : alpha / rank;
    }

    private static string? Refusal(JsonElement root)
    {
        string type = JsonRead.Text(root, "peft_type") ?? "no peft_type";
        if (type != "LORA") return $"{DisplayText.Escape(type)}, only LORA is merged";
        if (Number(root, "lora_alpha") is null) return "no lora_alpha that is a finite number";
        if (JsonRead.Flag(root, "lora_bias") == true) return "lora_bias: a bias of its own";
        if (JsonRead.Text(root, "init_lora_weights") is { } init
            && BaseChanging.FirstOrDefault(name => init.StartsWith(name, StringComparison.OrdinalIgnoreCase)) is { } changing)
            return $"init_lora_weights {changing}: it belongs to base weights that were changed before training";
        foreach (string member in (string[])["layer_replication", "target_parameters", "trainable_token_indices", "alora_invocation_tokens"])
        {
            if (root.TryGetProperty(member, out JsonElement value) && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.False)
                && !(value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0)) return $"{member} is given";
        }

        foreach (JsonProperty member in root.EnumerateObject())
        {
            bool isUse = member.Name.StartsWith("use_", StringComparison.Ordinal) && member.Name is not ("use_rslora" or "use_dora");
            if (isUse && member.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.False))
                return $"{DisplayText.Escape(member.Name)} is {member.Value.ValueKind}";
        }

        return null;
    }

    /// <summary>PEFT takes a key of <c>alpha_pattern</c> for a regular expression that fits the end of a name from a point on.</summary>
    private static List<(Regex Pattern, double Alpha)> Patterns(JsonElement root, string file)
    {
        if (!root.TryGetProperty("alpha_pattern", out JsonElement patterns) || patterns.ValueKind != JsonValueKind.Object) return [];
        var all = new List<(Regex Pattern, double Alpha)>();
        foreach (JsonProperty entry in patterns.EnumerateObject())
        {
            double? alpha = Number(patterns, entry.Name);
            try
            {
                if (alpha is null) throw new FormatException("is no finite number");
                all.Add((new Regex($@"\A(.*\.)?({entry.Name})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant), alpha.Value));
            }
            catch (Exception error) when (error is ArgumentException or FormatException or NotSupportedException)
            {
                throw new CheckpointFormatException(
                    FormatError.ConfigSchema,
                    $"alpha_pattern {DisplayText.Escape(entry.Name)} cannot be read",
                    file,
                    facts: [("reason", DisplayText.Escape(error.Message))],
                    inner: error);
            }
        }

        return all;
    }

    private static double? Number(JsonElement parent, string member) =>
        parent.TryGetProperty(member, out JsonElement value) && value.ValueKind == JsonValueKind.Number && double.IsFinite(value.GetDouble())
            ? value.GetDouble()
            : null;
}
