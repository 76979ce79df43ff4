using System.Text;
using System.Text.Json;
using Bnb.Engine.Architectures;
using Bnb.Engine.Linting;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports;

/// <summary>
/// The result of <c>lint</c> as SARIF 2.1.0, which code hosts show beside the change: one result for each finding and consumer,
/// located in config.json, below which lists and types are written, or in that of the pipeline's component.
/// </summary>
internal static class LintSarif
{
    /// <param name="reports">One, or one for each component of a pipeline.</param>
    public static string Of(IReadOnlyList<LintReport> reports) => Encoding.UTF8.GetString(JsonLine.Indented(json => Write(reports, json)));

    private static void Write(IReadOnlyList<LintReport> reports, Utf8JsonWriter json)
    {
        json.WriteString("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
        json.WriteString("version", "2.1.0");
        json.WriteStartArray("runs");
        json.WriteStartObject();
        json.WriteStartObject("tool");
        json.WriteStartObject("driver");
        json.WriteString("name", "dotnet-bnb");
        json.WriteString("version", ToolVersion.Number);
        json.WriteStartArray("rules");
        foreach (LintRule rule in LintRules.All) WriteRule(rule, json);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartArray("results");
        foreach (LintReport report in reports)
            foreach (ConsumerVerdict verdict in report.Consumers)
                foreach (LintFinding finding in verdict.Findings) WriteResult(report.Component, verdict, finding, json);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void WriteRule(LintRule rule, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", rule.Id);
        WriteText("shortDescription", rule.Title, json);
        WriteText("help", rule.Action, json);
        json.WriteEndObject();
    }

    private static void WriteResult(string? component, ConsumerVerdict verdict, LintFinding finding, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("ruleId", finding.Rule);
        json.WriteString("level", finding.Level.ToString().ToLowerInvariant());
        WriteText("message", $"{verdict.Consumer.Word()}: {finding.Text}; {finding.Action}", json);
        json.WriteStartArray("locations");
        json.WriteStartObject();
        json.WriteStartObject("physicalLocation");
        json.WriteStartObject("artifactLocation");
        json.WriteString("uri", component is null ? "config.json" : $"{Uri.EscapeDataString(component)}/config.json");
        json.WriteEndObject();
        json.WriteEndObject();
        if (finding.Tensors.Count > 0)
        {
            json.WriteStartArray("logicalLocations");
            foreach (string tensor in finding.Tensors.Take(20))
            {
                json.WriteStartObject();
                json.WriteString("fullyQualifiedName", component is null ? tensor : $"{component}/{tensor}");
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteText(string name, string text, Utf8JsonWriter json)
    {
        json.WriteStartObject(name);
        json.WriteString("text", text);
        json.WriteEndObject();
    }
}
