using System.Text.Json;
using Bnb.Formats.HuggingFace;

namespace Bnb.Formats.CompressedTensors;

/// <summary>What a config.json of compressed-tensors says against reading the packed weights beside it.</summary>
internal static class PackedSettings
{
    /// <summary>One text per reason; none when the config names no other layout, or says nothing.</summary>
    public static IEnumerable<string> Refusals(ModelConfig? config)
    {
        if (config is null || !config.Root.TryGetProperty("quantization_config", out JsonElement settings)
            || settings.ValueKind != JsonValueKind.Object) yield break;
        if (settings.TryGetProperty("format", out JsonElement format)
            && (format.ValueKind != JsonValueKind.String || format.GetString() != "pack-quantized"))
            yield return $"format is {DisplayText.Escape(format.GetRawText())}, only \"pack-quantized\" is read";
        if (!settings.TryGetProperty("config_groups", out JsonElement groups) || groups.ValueKind != JsonValueKind.Object) yield break;
        foreach (JsonProperty group in groups.EnumerateObject())
        {
            if (group.Value.ValueKind == JsonValueKind.Object
                && group.Value.TryGetProperty("weights", out JsonElement weights) && weights.ValueKind == JsonValueKind.Object
                && weights.TryGetProperty("num_bits", out JsonElement bits)
                && !(bits.ValueKind == JsonValueKind.Number && bits.TryGetInt32(out int count) && count == 4))
                yield return $"{DisplayText.Escape(group.Name)} has num_bits {DisplayText.Escape(bits.GetRawText())}, only 4 is read";
        }
    }
}
