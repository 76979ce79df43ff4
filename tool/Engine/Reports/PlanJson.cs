using System.Text.Json;
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
        json.WriteString("source", summary.Output.Source.Folder);
        json.WriteString("output", output);
        json.WriteString("quant_type", summary.Output.Type);
        json.WriteNumber("bits_per_parameter", Math.Round(summary.BitsPerParameter, 4));
        json.WriteNumber("bytes", summary.Bytes);
        json.WriteNumber("expected_error", Math.Round(summary.ExpectedError, 6));
        json.WriteNumber("uniform_bytes", summary.Uniform.Bytes);
        json.WriteNumber("uniform_error", Math.Round(summary.Uniform.Error, 6));
        if (summary.Output.Source.Request.Components.Count > 0) WriteComponents(summary.Output, json);
        json.WriteStartArray("overrides");
        foreach (RecipeOverride rule in summary.Overrides) json.WriteStringValue(rule.ToString());
        json.WriteEndArray();
    });

    private static void WriteComponents(PlannedOutput output, Utf8JsonWriter json)
    {
        json.WriteStartArray("components");
        foreach (QuantizeSummary model in output.Models) Write(model.Plan.Component!, true, model.OutputFileBytes, model.BitsPerParameter);
        foreach (CopiedWeights copied in output.Source.Copied) Write(copied.Component, false, copied.FileBytes, copied.TensorBytes * 8.0 / Math.Max(1, copied.ParameterCount));
        json.WriteEndArray();

        void Write(string component, bool isQuantized, long bytes, double bits)
        {
            json.WriteStartObject();
            json.WriteString("component", component);
            json.WriteBoolean("quantized", isQuantized);
            json.WriteNumber("bytes", bytes);
            json.WriteNumber("bits_per_parameter", Math.Round(bits, 4));
            json.WriteEndObject();
        }
    }

    /// <summary>The file that <c>quantize --config</c> reads.</summary>
    public static string Recipe(PlanSummary summary) =>
        Recipes.Recipe.Write(RequestOptions.Of(summary.Output.Models[0].Request, [.. summary.Output.Models.Select(static model => model.Plan)]), new JsonObject
        {
            ["bits_per_parameter"] = Math.Round(summary.BitsPerParameter, 4),
            ["bytes"] = summary.Bytes,
            ["error"] = Math.Round(summary.ExpectedError, 6),
            ["uniform_bytes"] = summary.Uniform.Bytes,
            ["uniform_error"] = Math.Round(summary.Uniform.Error, 6),
        });
}
