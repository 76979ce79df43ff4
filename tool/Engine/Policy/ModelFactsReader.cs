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
            [.. config.Root.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.Object)
                .Select(member => ModelTypeOf(member.Value)).OfType<string>()])
        {
            Identity = Identity(config.Root, DeepestPart),
        };
    }

    private static ModelIdentity Identity(JsonElement config, int depth) => new(
        ModelTypeOf(config),
        ClassName(config),
        [.. Names(config)],
        depth == 0
            ? []
            : [
                .. config.EnumerateObject().Where(static member => member.Value.ValueKind == JsonValueKind.Object)
                    .Take(MostParts).Select(member => Identity(member.Value, depth - 1))
                    .Where(static part => part.ModelType is not null || part.Architectures.Count > 0 || part.Parts.Count > 0),
            ]);

    private static string? ClassName(JsonElement config) =>
        config.TryGetProperty("_class_name", out JsonElement name) && name.ValueKind == JsonValueKind.String ? name.GetString() : null;

    private static List<string> Names(JsonElement root) =>
        root.TryGetProperty("architectures", out JsonElement names) && names.ValueKind == JsonValueKind.Array
            ? [.. names.EnumerateArray().Where(name => name.ValueKind == JsonValueKind.String).Select(name => name.GetString()!)]
            : [];

    private static string? SubModelType(JsonElement root, string member) =>
        root.TryGetProperty(member, out JsonElement sub) && sub.ValueKind == JsonValueKind.Object ? ModelTypeOf(sub) : null;

    private static string? ModelTypeOf(JsonElement config) =>
        config.TryGetProperty("model_type", out JsonElement type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null;
}
