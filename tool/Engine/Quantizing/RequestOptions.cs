using System.Text.Json.Nodes;
using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Recipes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// The options of a quantization as a recipe file spells them: those of the data type, and what else changes the output and is
/// not the default.
/// </summary>
internal static class RequestOptions
{
    /// <summary>The text of a recipe file for a request, checked against its source as quantizing would.</summary>
    public static string Text(QuantizeRequest request) => Recipe.Write(Of(request), null);

    /// <summary>The same as keys and values.</summary>
    public static IEnumerable<KeyValuePair<string, JsonNode?>> Of(QuantizeRequest request)
    {
        return Of(request, PipelineFolder.IsAt(request.SourcePath) ? PipelinePlan.Make(request).Components : [QuantizePlan.Make(request, RequestSource.Open(request))]);
    }

    /// <summary>Keys and values; <c>quantize --config</c> of them makes the same output.</summary>
    /// <param name="models">Planned for the request: their tensors tell which of them patterns reached when a file cannot hold their order.</param>
    public static IEnumerable<KeyValuePair<string, JsonNode?>> Of(QuantizeRequest request, IReadOnlyList<QuantizePlan> models) =>
    [
        .. OfType(request.Recipe), .. OfScales(request), .. OfPatterns(request, models), .. OfOutput(request),
        Texts(Recipe.OverridesKey, request.Overrides.Select(rule => rule.ToString())),
    ];

    private static IEnumerable<KeyValuePair<string, JsonNode?>> OfType(QuantizeRecipe recipe)
    {
        yield return new("type", recipe.Type);
        if (recipe is Blockwise4Recipe blockwise)
        {
            yield return new("blockSize", blockwise.Blocksize);
            yield return new("doubleQuant", blockwise.DoubleQuant);
            if (blockwise.QuantStorage != DType.U8) yield return new("quantStorage", Blockwise4Recipe.TorchName(blockwise.QuantStorage));
        }
        else if (recipe is Int8Recipe rows)
        {
            yield return new("int8Threshold", rows.Threshold);
        }
        else if (recipe is Int4Recipe groups)
        {
            yield return new("groupSize", groups.GroupSize);
            yield return new("symmetric", groups.Symmetric);
            if (groups.ScaleType is { } type) yield return new("scaleDtype", FloatTypes.Name(type));
        }
    }

    private static IEnumerable<KeyValuePair<string, JsonNode?>> OfScales(QuantizeRequest request)
    {
        // Without a search importance does not change a byte: a plan has only weighted its errors with it.
        if (request.Recipe.Scale != ScaleRule.Search) yield break;
        yield return new("scale", "search");
        if (request.ImportancePath is { } importance) yield return new("importance", importance);
    }

    private static IEnumerable<KeyValuePair<string, JsonNode?>> OfPatterns(QuantizeRequest request, IReadOnlyList<QuantizePlan> models)
    {
        IReadOnlyList<PatternRule> rules = request.Patterns;
        int turns = Enumerable.Range(1, Math.Max(0, rules.Count - 1)).Count(i => rules[i].Include != rules[i - 1].Include);
        // An object has one list of each kind: with more turns than one, the tensors that the patterns reached stand for them.
        if (turns > 1)
        {
            yield return Texts("include", Names(RuleIds.UserInclude));
            yield return Texts("exclude", Names(RuleIds.UserExclude));
            yield break;
        }

        foreach (IGrouping<bool, PatternRule> group in rules.GroupBy(rule => rule.Include))
            yield return Texts(group.Key ? "include" : "exclude", group.Select(rule => rule.Glob));

        IEnumerable<string> Names(string rule) => models.SelectMany(model => model.Tensors.Where(tensor => tensor.Decision.Rule == rule)
            .Select(tensor => Recipe.PatternOf(model.Request.NamePrefix + tensor.Name)));
    }

    private static IEnumerable<KeyValuePair<string, JsonNode?>> OfOutput(QuantizeRequest request)
    {
        if (request.Components.Count > 0) yield return new("components", string.Join(',', request.Components));
        if (request.Variant is { } variant) yield return new("variant", variant);
        if (request.CastTo is { } dtype) yield return new("dtype", FloatTypes.Name(dtype));
        if (request.ComputeDType is { } computeDType) yield return new("computeDtype", computeDType);
        if (request.ExcludeUnaligned) yield return new("excludeUnaligned", true);
        if (request.QuantizeVision) yield return new("quantizeVision", true);
        if (request.Experts is { } experts) yield return new("experts", experts.ToString().ToLowerInvariant());
        if (request.LoadsIn.Count > 0) yield return new("loadsIn", string.Join(',', request.LoadsIn.Select(LoadTargetNames.Word)));
        if (request.AdapterPath is { } adapter) yield return new("mergeLora", adapter);
        if (request.MinCoverage is { } coverage) yield return new("minCoverage", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{(decimal)coverage * 100}%"));
        if (request.MaxShardBytes != new QuantizeRequest { SourcePath = "", OutputPath = null }.MaxShardBytes) yield return new("maxShardSize", request.MaxShardBytes);
        if (request.KeepNonFinite) yield return new("nonFinite", "keep");
    }

    private static KeyValuePair<string, JsonNode?> Texts(string key, IEnumerable<string> texts) =>
        new(key, new JsonArray([.. texts.Select(text => (JsonNode?)JsonValue.Create(text))]));
}
