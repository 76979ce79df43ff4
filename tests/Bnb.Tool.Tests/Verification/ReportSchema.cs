using System.Text.Json;
using System.Text.RegularExpressions;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Verification;

/// <summary>
/// Checks JSON against docs/verify-report.schema.json, or another schema. Knows the keywords that our schemas and that of SARIF use and
/// refuses others, so that a schema cannot promise what nothing checks.
/// </summary>
/// <param name="name">Path below docs, or a full one.</param>
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
        // What is of another type has no members to look at.
        if (schema.TryGetProperty("type", out JsonElement wanted) && !IsOf(value, wanted))
        {
            problems.Add($"{path}: type {wanted} does not fit {value}");
            return;
        }

        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            bool fits = true;
            switch (keyword.Name)
            {
                case "$schema" or "$id" or "id" or "type" or "$defs" or "definitions" or "title" or "description" or "default":
                    break;
                case "$ref":
                    Check(value, At(keyword.Value.GetString()!), path, problems);
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
                case "maximum":
                    fits = value.GetDecimal() <= keyword.Value.GetDecimal();
                    break;
                case "pattern" when value.ValueKind == JsonValueKind.String:
                    fits = Regex.IsMatch(value.GetString()!, keyword.Value.GetString()!);
                    break;
                case "format" when value.ValueKind == JsonValueKind.String:
                    fits = !keyword.Value.GetString()!.StartsWith("uri", StringComparison.Ordinal) || Uri.IsWellFormedUriString(value.GetString(), UriKind.RelativeOrAbsolute);
                    break;
                case "minItems":
                    fits = value.GetArrayLength() >= keyword.Value.GetInt32();
                    break;
                case "uniqueItems":
                    fits = value.EnumerateArray().Select(item => item.GetRawText()).Distinct().Count() == value.GetArrayLength();
                    break;
                case "oneOf":
                    fits = keyword.Value.EnumerateArray().Count(choice => Fits(value, choice, path)) == 1;
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
                        .Where(member => !IsKnown(schema, member.Name))
                        .Select(member => $"{path}.{member.Name}: not in the schema"));
                    break;
                case "additionalProperties":
                    foreach (JsonProperty member in value.EnumerateObject())
                        if (!IsKnown(schema, member.Name)) Check(member.Value, keyword.Value, $"{path}.{member.Name}", problems);
                    break;
                default:
                    throw new NotSupportedException($"schema keyword {keyword.Name}");
            }

            if (!fits) problems.Add($"{path}: {keyword.Name} {keyword.Value} does not fit {value}");
        }
    }

    private static bool FitsPattern(JsonElement schema, string name) =>
        schema.TryGetProperty("patternProperties", out JsonElement patterns) && patterns.EnumerateObject().Any(pattern => Regex.IsMatch(name, pattern.Name));

    private static bool IsKnown(JsonElement schema, string name) =>
        (schema.TryGetProperty("properties", out JsonElement known) && known.TryGetProperty(name, out _)) || FitsPattern(schema, name);

    /// <summary>The part of the schema that <c>#/$defs/name</c> or <c>#/definitions/name</c> refers to.</summary>
    private JsonElement At(string link) => link.Split('/').Skip(1).Aggregate(_root, static (part, name) => part.GetProperty(name));

    private bool Fits(JsonElement value, JsonElement schema, string path)
    {
        JsonElement target = schema.TryGetProperty("$ref", out JsonElement link) ? At(link.GetString()!) : schema;
        List<string> problems = [];
        Check(value, target, path, problems);
        return problems.Count == 0;
    }

    private static bool IsOf(JsonElement value, JsonElement types) =>
        types.ValueKind == JsonValueKind.Array ? types.EnumerateArray().Any(type => IsOf(value, type.GetString()!)) : IsOf(value, types.GetString()!);

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
