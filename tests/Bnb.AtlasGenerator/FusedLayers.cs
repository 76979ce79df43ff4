using System.Text.Json;
using System.Text.Json.Nodes;

namespace Bnb.AtlasGenerator;

/// <summary>Joins the three places where vLLM says which modules of a checkpoint it loads into one layer.</summary>
internal static class FusedLayers
{
    /// <summary>Ends of the fused layers' paths, each with the ends of its parts' paths; whole components, without dots around.</summary>
    public static JsonObject Of(JsonObject facts)
    {
        List<(string Fused, List<string> Parts)> groups = [];
        foreach (string member in (string[])["packed", "packed_dynamic"])
            foreach ((string fused, JsonNode? parts) in facts[member] as JsonObject ?? [])
                if (parts is JsonArray names) Add(groups, fused, names.Select(static name => name!.GetValue<string>()));

        // What the weight loader stacks adds to the mapping only where that does not know the module at all.
        var known = groups.SelectMany(static group => group.Parts).ToList();
        foreach (IGrouping<string, (string Fused, string Part)> stack in Stacked(facts).GroupBy(static pair => pair.Fused))
        {
            List<string> parts = [.. stack.Select(static pair => pair.Part).Distinct()];
            if (!parts.TrueForAll(part => known.Exists(other => EndsWith(part, other)))) Add(groups, stack.Key, parts);
        }

        var result = new JsonObject();
        foreach ((string fused, List<string> parts) in groups)
            result[fused] = new JsonArray([.. parts.Select(static part => JsonValue.Create(part))]);
        return result;
    }

    private static IEnumerable<(string Fused, string Part)> Stacked(JsonObject facts)
    {
        foreach (JsonNode? triple in facts["stacked"] as JsonArray ?? [])
            if (triple is JsonArray { Count: >= 2 } names && IsText(names[0]) && IsText(names[1]))
                yield return (Trim(names[0]!.GetValue<string>()), Trim(names[1]!.GetValue<string>()));

        foreach ((string part, JsonNode? target) in (facts["mapper"] as JsonObject)?["orig_to_new_stacked"] as JsonObject ?? [])
            if (target is JsonArray { Count: >= 1 } names && IsText(names[0]))
                yield return (Trim(names[0]!.GetValue<string>()), Trim(part));
    }

    private static void Add(List<(string Fused, List<string> Parts)> groups, string fused, IEnumerable<string> names)
    {
        string end = Trim(fused);
        List<string> parts = [.. names.Select(Trim).Distinct()];
        bool isName = end.Length > 0 && !end.StartsWith("__", StringComparison.Ordinal) && !end.Contains('?', StringComparison.Ordinal);
        bool isItself = parts.Count == 1 && parts[0] == end;
        if (isName && !isItself && !groups.Exists(group => group.Fused == end)) groups.Add((end, parts));
    }

    private static string Trim(string name)
    {
        string bare = name.Trim('.');
        return bare.EndsWith(".weight", StringComparison.Ordinal) ? bare[..^".weight".Length] : bare;
    }

    private static bool EndsWith(string path, string end) =>
        path == end || path.EndsWith("." + end, StringComparison.Ordinal);

    private static bool IsText(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String;
}
