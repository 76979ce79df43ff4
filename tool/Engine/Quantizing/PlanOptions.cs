using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Recipes;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// The options of a quantization that change bytes of its output, as journals compare them and manifests keep them. Files that
/// options name are told by their content.
/// </summary>
internal static class PlanOptions
{
    /// <param name="computeDType">As it stands in config.json.</param>
    public static void Write(QuantizeRequest request, string computeDType, Utf8JsonWriter json)
    {
        json.WriteString("type", request.Recipe.Type);
        request.Recipe.WriteOptions(json);
        if (request.Recipe is Blockwise4Recipe) json.WriteString("compute_dtype", computeDType);
        if (request.Variant is { } variant) json.WriteString("variant", variant);
        if (request.CastTo is { } dtype) json.WriteString("dtype", FloatTypes.Name(dtype));
        json.WriteStartArray("patterns");
        foreach (PatternRule pattern in request.Patterns) json.WriteStringValue($"{(pattern.Include ? "include" : "exclude")} {pattern.Glob}");
        json.WriteEndArray();
        json.WriteStartArray("overrides");
        foreach (RecipeOverride rule in request.Overrides)
            json.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{rule.Pattern}={(rule.Keep ? "keep" : $"{rule.Type}/{rule.Blocksize}")}"));
        json.WriteEndArray();
        json.WriteString("scale", request.Recipe.Scale.ToString().ToLowerInvariant());
        json.WriteString("importance_sha256", request.ImportancePath is { } importance ? FileRecord.Read(importance, "").Sha256 : null);
        json.WriteString("adapter_sha256", request.AdapterPath is { } adapter ? FolderHash(adapter) : null);
        json.WriteString("experts", LoadTargets.Experts(request).ToString().ToLowerInvariant());
        json.WriteBoolean("exclude_unaligned", request.ExcludeUnaligned);
        json.WriteBoolean("quantize_vision", request.QuantizeVision);
        json.WriteNumber("max_shard_size", request.MaxShardBytes);
        json.WriteString("non_finite", request.KeepNonFinite ? "keep" : "error");
    }

    /// <summary>SHA-256 over name and SHA-256 of an adapter's files.</summary>
    private static string FolderHash(string folder)
    {
        IEnumerable<string> lines = Directory.EnumerateFiles(folder, "adapter_*").Order(StringComparer.Ordinal)
            .Select(path => $"{Path.GetFileName(path)} {FileRecord.Read(path, "").Sha256}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines))));
    }
}
