using System.Text.Json.Nodes;
using Bnb.Engine.Planning;
using Bnb.Engine.Quantizing;
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
    public static string Recipe(PlanSummary summary) =>
        Recipes.Recipe.Write(RequestOptions.Of(summary.Quantized.Plan), new JsonObject
        {
            ["bits_per_parameter"] = Math.Round(summary.BitsPerParameter, 4),
            ["bytes"] = summary.Bytes,
            ["error"] = Math.Round(summary.ExpectedError, 6),
            ["uniform_bytes"] = summary.Uniform.Bytes,
            ["uniform_error"] = Math.Round(summary.Uniform.Error, 6),
        });
}
