using System.Text.Json;
using Bnb.Engine.Errors;
using Xunit;

namespace Bnb.Tool.Tests.Verify;

/// <summary>One <c>verify --json</c> run and the report it printed.</summary>
internal sealed record Verification(ExitCode Exit, JsonElement Report)
{
    /// <summary>Runs; the verdict may be either, anything else fails the test.</summary>
    public static Verification Of(string quantized, string source, params IReadOnlyList<string> options)
    {
        ToolRun run = ToolRun.Of(["verify", quantized, "--source", source, "--json", .. options]);
        Assert.True(run.Exit is ExitCode.Done or ExitCode.VerificationFailed, $"exit {run.Exit}: {run.Error}");
        JsonElement report = JsonResult.Of(run);
        Assert.Equal(run.Exit == ExitCode.Done, report.GetProperty("passed").GetBoolean());
        return new Verification(run.Exit, report);
    }

    public static Verification Passing(string quantized, string source, params IReadOnlyList<string> options)
    {
        Verification done = Of(quantized, source, options);
        Assert.True(done.Exit == ExitCode.Done, done.Described);
        return done;
    }

    public static Verification Failing(string quantized, string source, params IReadOnlyList<string> options)
    {
        Verification done = Of(quantized, source, options);
        Assert.True(done.Exit == ExitCode.VerificationFailed, done.Described);
        return done;
    }

    public IReadOnlyList<JsonElement> Layers => [.. Report.GetProperty("layers").EnumerateArray()];

    public IReadOnlyList<string> LayerNames => [.. Layers.Select(layer => layer.GetProperty("name").GetString()!)];

    public JsonElement Layer(string name) => Layers.Single(layer => layer.GetProperty("name").GetString() == name);

    public JsonElement Faithfulness(string name) => Layer(name).GetProperty("faithfulness");

    public string? Cause(string name) => Faithfulness(name).GetProperty("cause").GetString();

    /// <summary>Rules of the failing findings, of a layer or of the whole checkpoint.</summary>
    public IReadOnlyList<string> Failures(string? layer = null) =>
        [.. Findings(layer).Where(finding => finding.Fails).Select(finding => finding.Rule).Distinct()];

    public IReadOnlyList<(string Rule, string Text, bool Fails)> Findings(string? layer = null) =>
    [
        .. (layer is null ? Report : Layer(layer)).GetProperty("findings").EnumerateArray().Select(finding => (
            finding.GetProperty("rule").GetString()!, finding.GetProperty("text").GetString()!, finding.GetProperty("fails").GetBoolean())),
    ];

    /// <summary>Asserts that exactly one layer failed, and not the checkpoint as a whole.</summary>
    public void AssertOnlyFailed(string layer)
    {
        Assert.Equal([layer], Layers.Where(item => !item.GetProperty("passed").GetBoolean()).Select(item => item.GetProperty("name").GetString()));
        Assert.Empty(Failures());
    }

    /// <summary>Counts of a layer's stored form: codes and absmax values that differ.</summary>
    public (long Codes, long Absmax) Differing(string layer) =>
        (Count(layer, "codes_differing"), Count(layer, "absmax_differing"));

    public long Count(string layer, string member) => Faithfulness(layer).GetProperty(member).GetInt64();

    public double Weight(string layer, string member) => Layer(layer).GetProperty("weight").GetProperty(member).GetDouble();

    public double Gemm(string layer, string member) => Layer(layer).GetProperty("gemm").GetProperty(member).GetDouble();

    /// <summary>The report without what may differ from run to run.</summary>
    public string Comparable
    {
        get
        {
            var node = System.Text.Json.Nodes.JsonNode.Parse(Report.GetRawText())!.AsObject();
            node.Remove("seconds");
            node.Remove("command");
            return node.ToJsonString();
        }
    }

    private string Described => string.Join('\n', [
        .. Findings().Select(finding => $"{finding}"), .. LayerNames.SelectMany(name => Findings(name).Select(finding => $"{name}: {finding}"))]);
}
