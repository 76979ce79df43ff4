using System.Text.Json;
using Bnb.Engine.Architectures;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Policy;

/// <summary>Takes from config.json the few facts that decide which modules are quantized.</summary>
internal static class ModelFactsReader
{
    // Configurations of parts nest two deep (thinker, text); the bounds keep odd files cheap.
    private const int DeepestPart = 3;
    private const int MostParts = 64;

    public static ModelFacts Read(ModelConfig? config)
    {
        if (config is null) return new ModelFacts(null, [], false, false, null, []);
        bool towers = config.Has("vision_config") || config.Has("audio_config");
        return new ModelFacts(
            config.ModelType,
            ClassName(config.Root) is string name ? [.. Names(config.Root), name] : [.. Names(config.Root)],
            towers && config.Has("text_config"),
            config.TieWordEmbeddings,
            SubModelType(config.Root, "decoder"),
            SubModelTypes(config.Root))
        {
            Identity = Identity(config.Root, DeepestPart),
        };
    }

    // Loops: queries over what JsonDocument enumerates are compiled anew in every process.
    private static List<string> SubModelTypes(JsonElement config)
    {
        var types = new List<string>();
        foreach (JsonProperty member in config.EnumerateObject())
            if (member.Value.ValueKind == JsonValueKind.Object && ModelTypeOf(member.Value) is string type) types.Add(type);
        return types;
    }

    private static ModelIdentity Identity(JsonElement config, int depth)
    {
        var parts = new List<ModelIdentity>();
        int most = depth == 0 ? 0 : MostParts;
        foreach (JsonProperty member in config.EnumerateObject())
        {
            if (most == 0) break;
            if (member.Value.ValueKind != JsonValueKind.Object) continue;
            most--;
            ModelIdentity part = Identity(member.Value, depth - 1);
            if (part.ModelType is not null || part.Architectures.Count > 0 || part.Parts.Count > 0) parts.Add(part);
        }

        return new ModelIdentity(ModelTypeOf(config), ClassName(config), Names(config), parts);
    }

    private static string? ClassName(JsonElement config) =>
        config.TryGetProperty("_class_name", out JsonElement name) && name.ValueKind == JsonValueKind.String ? name.GetString() : null;

    private static List<string> Names(JsonElement root)
    {
        var all = new List<string>();
        if (!root.TryGetProperty("architectures", out JsonElement names) || names.ValueKind != JsonValueKind.Array) return all;
        foreach (JsonElement name in names.EnumerateArray())
            if (name.ValueKind == JsonValueKind.String) all.Add(name.GetString()!);
        return all;
    }

    private static string? SubModelType(JsonElement root, string member) =>
        root.TryGetProperty(member, out JsonElement sub) && sub.ValueKind == JsonValueKind.Object ? ModelTypeOf(sub) : null;

    private static string? ModelTypeOf(JsonElement config) =>
        config.TryGetProperty("model_type", out JsonElement type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null;
}
