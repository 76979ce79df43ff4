using System.Text.Json;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.HuggingFace;

namespace Bnb.Engine.Policy;

/// <summary>Takes from config.json the few facts that decide which modules are quantized.</summary>
internal static class ModelFactsReader
{
    public static ModelFacts Read(ModelConfig? config)
    {
        if (config is null) return new ModelFacts(null, [], false, false, null, []);
        bool towers = config.Has("vision_config") || config.Has("audio_config");
        return new ModelFacts(
            config.ModelType,
            Architectures(config.Root),
            towers && config.Has("text_config"),
            config.TieWordEmbeddings,
            SubModelType(config.Root, "decoder"),
            [.. config.Root.EnumerateObject().Where(member => member.Value.ValueKind == JsonValueKind.Object)
                .Select(member => ModelTypeOf(member.Value)).OfType<string>()]);
    }

    private static List<string> Architectures(JsonElement root) =>
        root.TryGetProperty("architectures", out JsonElement names) && names.ValueKind == JsonValueKind.Array
            ? [.. names.EnumerateArray().Where(name => name.ValueKind == JsonValueKind.String).Select(name => name.GetString()!)]
            : [];

    private static string? SubModelType(JsonElement root, string member) =>
        root.TryGetProperty(member, out JsonElement sub) && sub.ValueKind == JsonValueKind.Object ? ModelTypeOf(sub) : null;

    private static string? ModelTypeOf(JsonElement config) =>
        config.TryGetProperty("model_type", out JsonElement type) && type.ValueKind == JsonValueKind.String ? type.GetString() : null;
}
