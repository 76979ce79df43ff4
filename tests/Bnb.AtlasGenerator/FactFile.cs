using System.Text.Json.Nodes;

namespace Bnb.AtlasGenerator;

/// <summary>Reads files of facts and keeps what the tool uses; README.md describes both.</summary>
internal static class FactFile
{
    private const string Weight = ".weight";

    private static readonly string[] ClassMembers =
    [
        "cls", "model_type", "tensors", "conv1d", "renamed4", "renamed5", "converted5",
        "keep_fp32", "keep_fp32_4", "keep_fp32_5", "generates", "language",
    ];

    public static IEnumerable<AtlasLine> ReadClasses(string path, string section)
    {
        foreach (string text in File.ReadLines(path))
        {
            JsonObject facts = JsonNode.Parse(text)!.AsObject();
            var kept = new JsonObject();
            foreach (string member in ClassMembers)
                if (facts[member] is { } value) kept[member.Replace("fp32_", "fp32", StringComparison.Ordinal)] = value.DeepClone();

            if (facts["versions"] is JsonArray versions) kept["versions"] = string.Concat(versions.Select(Text));
            if (TiedModules(facts) is { Count: > 0 } tied) kept["tied"] = tied;
            yield return new AtlasLine(section, Text(facts["cls"]), section == "t" ? Text(facts["model_type"]) : "", kept.ToJsonString());
        }
    }

    public static IEnumerable<AtlasLine> ReadVllm(string path)
    {
        foreach (string text in File.ReadLines(path))
        {
            JsonObject facts = JsonNode.Parse(text)!.AsObject();
            var kept = new JsonObject { ["arch"] = Text(facts["arch"]), ["bnb"] = facts["supports_bnb"]!.GetValueKind() == System.Text.Json.JsonValueKind.True };
            if (facts["why"] is { } why) kept["why"] = Text(why);
            if (FusedLayers.Of(facts) is { Count: > 0 } groups) kept["groups"] = groups;
            if (facts["mapper"] is JsonObject mapper)
            {
                foreach (string kind in (string[])["substr", "prefix", "suffix"])
                    if (mapper["orig_to_new_" + kind] is { } pairs) kept[kind] = pairs.DeepClone();
            }

            yield return new AtlasLine("v", Text(facts["arch"]), "", kept.ToJsonString(), facts["removed"] is not null);
        }
    }

    // Pairs of names in memory whose first is not saved. Older libraries give regular expressions, which name no module.
    private static JsonArray TiedModules(JsonObject facts)
    {
        IEnumerable<JsonArray> pairs = (facts["tied"] as JsonArray ?? [])
            .Select(static pair => pair!.AsArray().Select(Text).ToArray())
            .Where(static pair => pair.All(static name => name.EndsWith(Weight, StringComparison.Ordinal))
                && !pair[0].Contains('\\', StringComparison.Ordinal))
            .Select(static pair => new JsonArray([.. pair.Select(static name => JsonValue.Create(name[..^Weight.Length]))]));
        return [.. pairs];
    }

    private static string Text(JsonNode? node) => node!.GetValue<string>();
}
