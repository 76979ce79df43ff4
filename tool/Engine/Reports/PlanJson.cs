using System.Text.Json.Nodes;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Planning;
using Bnb.Engine.Plans;
using Bnb.Engine.Recipes;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>plan</c>: one JSON line, and the recipe file.</summary>
internal static class PlanJson
{
    public static string Of(PlanSummary summary, string? output) => JsonLine.Of(json =>
    {
        json.WriteString("type", "recipe");
        json.WriteString("tool", ToolVersion.Name);
        json.WriteString("source", summary.Quantized.Plan.Source.Folder);
        json.WriteString("output", output);
        json.WriteString("quant_type", summary.Quantized.Plan.Recipe.Type);
        json.WriteNumber("bits_per_parameter", Math.Round(summary.BitsPerParameter, 4));
        json.WriteNumber("bytes", summary.Bytes);
        json.WriteNumber("expected_error", Math.Round(summary.ExpectedError, 6));
        json.WriteNumber("uniform_bytes", summary.Uniform.Bytes);
        json.WriteNumber("uniform_error", Math.Round(summary.Uniform.Error, 6));
        json.WriteStartArray("overrides");
        foreach (RecipeOverride rule in summary.Overrides) json.WriteStringValue(rule.ToString());
        json.WriteEndArray();
    });

    /// <summary>The file that <c>quantize --config</c> reads.</summary>
    public static string Recipe(PlanSummary summary)
    {
        QuantizeRecipe recipe = summary.Quantized.Plan.Recipe;
        var options = new List<KeyValuePair<string, JsonNode?>> { new("type", recipe.Type) };
        if (recipe is Blockwise4Recipe blockwise)
        {
            options.Add(new("blockSize", blockwise.Blocksize));
            options.Add(new("doubleQuant", blockwise.DoubleQuant));
        }
        else if (recipe is Int4Recipe groups)
        {
            options.Add(new("groupSize", groups.GroupSize));
            options.Add(new("symmetric", groups.Symmetric));
        }

        if (recipe.Scale == ScaleRule.Search) options.Add(new("scale", "search"));
        if (summary.Quantized.Request.ImportancePath is { } importance) options.Add(new("importance", importance));
        IEnumerable<RecipeOverride> all = summary.Quantized.Request.Overrides;
        options.Add(new(Recipes.Recipe.OverridesKey, new JsonArray([.. all.Select(rule => (JsonNode?)JsonValue.Create(rule.ToString()))])));
        return Recipes.Recipe.Write(options, new JsonObject
        {
            ["bits_per_parameter"] = Math.Round(summary.BitsPerParameter, 4),
            ["bytes"] = summary.Bytes,
            ["error"] = Math.Round(summary.ExpectedError, 6),
            ["uniform_bytes"] = summary.Uniform.Bytes,
            ["uniform_error"] = Math.Round(summary.Uniform.Error, 6),
        });
    }
}
