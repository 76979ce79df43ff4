using System.Text.Json;
using System.Xml.Linq;
using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>The command: what it prints, writes and ends with.</summary>
public sealed class EvaluateCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Evaluate_SampleModel_PrintsOneJsonLine()
    {
        (string source, string quantized) = Sample();

        ToolRun run = ToolRun.Succeed("evaluate", quantized, "--source", source, "--tokens", "200", "--context", "64", "--json");

        using JsonDocument json = JsonDocument.Parse(run.Out.Split('\n')[0]);
        JsonElement root = json.RootElement;
        Assert.Equal("evaluation", root.GetProperty("type").GetString());
        Assert.Equal((200, 4), (root.GetProperty("tokens").GetInt32(), root.GetProperty("contexts").GetInt32()));
        Assert.True(root.GetProperty("reference").GetProperty("perplexity").GetDouble() > 1);
        Assert.True(root.GetProperty("quantized").GetProperty("perplexity").GetDouble() > 1);
        Assert.True(root.GetProperty("kl").GetProperty("mean").GetDouble() > 0);
        Assert.InRange(root.GetProperty("top1").GetDouble(), 0, 1);
        // The embedding and two layers; only layers are quantized.
        double[] errors = [.. root.GetProperty("layers").EnumerateArray().Select(layer => layer.GetProperty("relative_error").GetDouble())];
        Assert.Equal(3, errors.Length);
        Assert.Equal(0, errors[0]);
        Assert.True(errors[1] > 0);
        Assert.Equal(1, root.GetProperty("layers").EnumerateArray().Sum(layer => layer.GetProperty("share").GetDouble()), 1e-9);
        Assert.True(root.GetProperty("passed").GetBoolean());
    }

    [Fact]
    public void Evaluate_AModelAgainstItself_FindsNoDifference()
    {
        (string source, _) = Sample();

        JsonElement root = Json(ToolRun.Succeed("evaluate", source, "--source", source, "--tokens", "100", "--json"));

        Assert.Equal(0, root.GetProperty("kl").GetProperty("max").GetDouble(), 1e-12);
        Assert.Equal((1, 1), (root.GetProperty("top1").GetDouble(), root.GetProperty("top5").GetDouble()));
        Assert.All(root.GetProperty("layers").EnumerateArray(), layer => Assert.Equal(0, layer.GetProperty("relative_error").GetDouble()));
    }

    [Theory]
    [InlineData("--max-kl", "1e-12")]
    [InlineData("--max-perplexity-ratio", "0.5")]
    public void Evaluate_BeyondALimit_EndsWith14AndSaysSoEverywhere(string option, string limit)
    {
        (string source, string quantized) = Sample();

        ToolRun run = ToolRun.Of(
            "evaluate", quantized, "--source", source, "--tokens", "60", option, limit, "--json",
            "--report", _folder["r.json"], "--report", _folder["r.html"], "--report", _folder["r.xml"]);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.False(Json(run).GetProperty("passed").GetBoolean());
        Assert.Single(Json(run).GetProperty("exceeded").EnumerateArray());
        Assert.Equal(Json(run).GetRawText(), File.ReadAllText(_folder["r.json"]).TrimEnd());
        Assert.Contains("<h1 class=\"fail\">FAILED", File.ReadAllText(_folder["r.html"]), StringComparison.Ordinal);
        Assert.Contains("<polyline", File.ReadAllText(_folder["r.html"]), StringComparison.Ordinal);
        XElement suite = XDocument.Load(_folder["r.xml"]).Root!.Element("testsuite")!;
        Assert.Equal("1", suite.Attribute("failures")!.Value);
        Assert.NotNull(suite.Element("testcase")!.Element("failure"));
    }

    [Fact]
    public void Evaluate_AnyThreads_GivesTheSameFigures()
    {
        (string source, string quantized) = Sample();

        string one = Figures("1"), three = Figures("3");

        Assert.Equal(one, three);

        string Figures(string threads)
        {
            ToolRun run = ToolRun.Succeed("evaluate", quantized, "--source", source, "--tokens", "150", "--context", "50", "--threads", threads, "--json");
            string line = run.Out.Split('\n')[0];
            return line[..line.IndexOf("\"seconds\"", StringComparison.Ordinal)];
        }
    }

    [Fact]
    public void Evaluate_Bfloat16_RoundsAndStaysNear()
    {
        // The sample model's states are too small to move its logits; this one's are not.
        string source = Golden.File("logits", "llama"), quantized = _folder["nf4"], ids = Golden.File("logits", "llama", "expected.safetensors");
        ToolRun.Succeed("quantize", source, "--output", quantized);

        double exact = Kl("float32"), rounded = Kl("bfloat16");

        Assert.NotEqual(exact, rounded);
        EvaluationFigures.Within(0.2, exact, rounded, "KL");

        double Kl(string type) => Json(ToolRun.Succeed("evaluate", quantized, "--source", source, "--ids", ids, "--compute-dtype", type, "--json"))
            .GetProperty("kl").GetProperty("mean").GetDouble();
    }

    [Fact]
    public void Evaluate_TextAndIds_IsAUsageError() => Assert.Equal(
        ExitCode.Usage, ToolRun.Of("evaluate", "q", "--source", "s", "--text", "t", "--ids", "i").Exit);

    [Fact]
    public void Evaluate_UnknownFamily_NamesIt()
    {
        (string source, string quantized) = Sample();
        string config = Path.Combine(source, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"llama\"", "\"newmodel\"", StringComparison.Ordinal));

        ToolRun run = ToolRun.Of("evaluate", quantized, "--source", source);

        Assert.Equal(ExitCode.InputUnsupported, run.Exit);
        Assert.Contains("error[MODEL-UNSUP]: no forward pass for model_type newmodel", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_ConfigOfAnotherSize_NamesTheTensor()
    {
        (string source, string quantized) = Sample();
        foreach (string folder in (string[])[source, quantized])
        {
            string config = Path.Combine(folder, "config.json");
            File.WriteAllText(config, File.ReadAllText(config).Replace("\"intermediate_size\": 704", "\"intermediate_size\": 640", StringComparison.Ordinal));
        }

        ToolRun run = ToolRun.Of("evaluate", quantized, "--source", source);

        Assert.Equal(ExitCode.InputMalformed, run.Exit);
        Assert.Contains("error[MODEL-TENSOR]", run.Error, StringComparison.Ordinal);
        Assert.Contains("[640, 256]", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_TokenBeyondTheVocabulary_IsRefused()
    {
        (string source, string quantized) = Sample();

        ToolRun run = ToolRun.Of("evaluate", quantized, "--source", source, "--ids", Golden.File("trained", "ids.safetensors"));

        Assert.Equal(ExitCode.InputMalformed, run.Exit);
        Assert.Contains("error[TOKENS]", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_AnotherModel_IsRefused()
    {
        (string source, _) = Sample();

        ToolRun run = ToolRun.Of("evaluate", Golden.File("trained"), "--source", source);

        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("error[MODEL-PAIR]", run.Error, StringComparison.Ordinal);
    }

    private static JsonElement Json(ToolRun run) => JsonDocument.Parse(run.Out.Split('\n')[0]).RootElement;

    private (string Source, string Quantized) Sample()
    {
        string source = _folder["source"], quantized = _folder["nf4"];
        SampleCheckpoint.Small.Write(source);
        ToolRun.Succeed("quantize", source, "--output", quantized);
        return (source, quantized);
    }
}
