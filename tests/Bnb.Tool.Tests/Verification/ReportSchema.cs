using System.Text.Json;
using System.Text.RegularExpressions;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Verification;

/// <summary>
/// Checks JSON against docs/verify-report.schema.json, or another schema of the documents. Knows the keywords that the schema uses and refuses others, so that
/// the schema cannot promise what nothing checks.
/// </summary>
/// <param name="name">Path below docs.</param>
internal sealed class ReportSchema(string name)
{
    private readonly JsonElement _root = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Golden.RepositoryRoot, "docs", name))).RootElement;

    public string Id => _root.GetProperty("$id").GetString()!;

    /// <summary>What does not fit, each with its path; empty when all does.</summary>
    public static IReadOnlyList<string> Problems(string json) => Problems(json, "verify-report.schema.json");

    /// <summary>The same for another schema.</summary>
    public static IReadOnlyList<string> Problems(string json, string name)
    {
        var schema = new ReportSchema(name);
        List<string> problems = [];
        schema.Check(JsonDocument.Parse(json).RootElement, schema._root, "$", problems);
        return problems;
    }

    private void Check(JsonElement value, JsonElement schema, string path, List<string> problems)
    {
        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            bool fits = true;
            switch (keyword.Name)
            {
                case "$schema" or "$id" or "$defs" or "title" or "description":
                    break;
                case "$ref":
                    Check(value, _root.GetProperty("$defs").GetProperty(keyword.Value.GetString()!["#/$defs/".Length..]), path, problems);
                    break;
                case "type":
                    fits = keyword.Value.ValueKind == JsonValueKind.Array
                        ? keyword.Value.EnumerateArray().Any(type => IsOf(value, type.GetString()!))
                        : IsOf(value, keyword.Value.GetString()!);
                    break;
                case "const":
                    fits = JsonElement.DeepEquals(value, keyword.Value);
                    break;
                case "enum":
                    fits = keyword.Value.EnumerateArray().Any(one => JsonElement.DeepEquals(value, one));
                    break;
                case "minimum":
                    fits = value.GetDecimal() >= keyword.Value.GetDecimal();
                    break;
                case "anyOf":
                    fits = keyword.Value.EnumerateArray().Any(choice => Fits(value, choice, path));
                    break;
                case "items":
                    int index = 0;
                    foreach (JsonElement item in value.EnumerateArray()) Check(item, keyword.Value, $"{path}[{index++}]", problems);
                    break;
                case "required":
                    problems.AddRange(keyword.Value.EnumerateArray()
                        .Where(name => !value.TryGetProperty(name.GetString()!, out _)).Select(name => $"{path}.{name}: missing"));
                    break;
                case "properties":
                    foreach (JsonProperty known in keyword.Value.EnumerateObject())
                        if (value.TryGetProperty(known.Name, out JsonElement member)) Check(member, known.Value, $"{path}.{known.Name}", problems);
                    break;
                case "patternProperties":
                    foreach (JsonProperty member in value.EnumerateObject().Where(member => FitsPattern(schema, member.Name)))
                        Check(member.Value, keyword.Value.EnumerateObject().First(pattern => Regex.IsMatch(member.Name, pattern.Name)).Value, $"{path}.{member.Name}", problems);
                    break;
                case "additionalProperties" when keyword.Value.ValueKind == JsonValueKind.False:
                    problems.AddRange(value.EnumerateObject()
                        .Where(member => !schema.GetProperty("properties").TryGetProperty(member.Name, out _) && !FitsPattern(schema, member.Name))
                        .Select(member => $"{path}.{member.Name}: not in the schema"));
                    break;
                default:
                    throw new NotSupportedException($"schema keyword {keyword.Name}");
            }

            if (!fits) problems.Add($"{path}: {keyword.Name} {keyword.Value} does not fit {value}");
        }
    }

    private static bool FitsPattern(JsonElement schema, string name) =>
        schema.TryGetProperty("patternProperties", out JsonElement patterns) && patterns.EnumerateObject().Any(pattern => Regex.IsMatch(name, pattern.Name));

    private bool Fits(JsonElement value, JsonElement schema, string path)
    {
        // A choice of the wrong type must not be asked for its members.
        JsonElement target = schema.TryGetProperty("$ref", out JsonElement link)
            ? _root.GetProperty("$defs").GetProperty(link.GetString()!["#/$defs/".Length..])
            : schema;
        if (target.TryGetProperty("type", out JsonElement type) && !IsOf(value, type.GetString()!)) return false;
        List<string> problems = [];
        Check(value, target, path, problems);
        return problems.Count == 0;
    }

    private static bool IsOf(JsonElement value, string type) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && decimal.IsInteger(value.GetDecimal()),
        _ => throw new NotSupportedException($"schema type {type}"),
    };
}
