using System.Text.Json;
using Bnb.Engine.Architectures;
using Bnb.Engine.Linting;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports;

/// <summary>The result of <c>lint</c> as one JSON line.</summary>
internal static class LintJson
{
    public static string Of(LintReport report) => JsonLine.Of(json =>
    {
        json.WriteString("type", "lint");
        json.WriteString("path", report.Path);
        if (report.Component is { } component) json.WriteString("component", component);
        json.WriteString("class", report.ClassName);
        json.WriteStartArray("quant_types");
        foreach (string type in report.Types) json.WriteStringValue(type);
        json.WriteEndArray();
        json.WriteNumber("quantized", report.QuantizedCount);
        json.WriteBoolean("passed", report.Passed);
        json.WriteStartArray("consumers");
        foreach (ConsumerVerdict verdict in report.Consumers)
        {
            json.WriteStartObject();
            json.WriteString("consumer", verdict.Consumer.Word());
            json.WriteString("verdict", verdict.Word);
            json.WriteBoolean("loads", verdict.Loads);
            json.WriteStartArray("findings");
            foreach (LintFinding finding in verdict.Findings) Write(finding, json);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private static void Write(LintFinding finding, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("rule", finding.Rule);
        json.WriteString("level", finding.Level.ToString().ToLowerInvariant());
        json.WriteString("text", finding.Text);
        json.WriteString("do", finding.Action);
        json.WriteNumber("count", finding.Tensors.Count);
        json.WriteStartArray("tensors");
        foreach (string tensor in finding.Tensors.Take(20)) json.WriteStringValue(tensor);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
