using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

/// <summary>What goes to stdout and what to stderr.</summary>
public sealed class OutputStreamTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Source => CheckpointBuilder.SingleFile(
        _folder["model"],
        [
            TestTensor.Floats("model.layers.0.mlp.up_proj.weight", "BF16", 128, 96),
            TestTensor.Floats("model.norm.weight", "F32", 4) with { Data = [0, 0, 0xc0, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
        ]);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_Default_ResultsOnStdoutAndTalkOnStderr()
    {
        ToolRun run = ToolRun.Succeed("quantize", Source, "--output", _folder["out"]);

        Assert.Contains("bits per parameter", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("warning", run.Out, StringComparison.Ordinal);
        Assert.Contains("warning: 1 layers have an input size that is not a multiple of 64", run.Error, StringComparison.Ordinal);
        Assert.Contains("model.norm.weight", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\x1b', run.Out + run.Error);
    }

    [Fact]
    public void Quantize_Quiet_SaysNothingOnSuccess()
    {
        ToolRun run = ToolRun.Succeed("quantize", Source, "--output", _folder["out"], "--verbosity", "quiet");

        Assert.Equal(("", ""), (run.Out, run.Error));
    }

    [Fact]
    public void Quantize_QuietAndRefused_StillSaysWhy()
    {
        ToolRun run = ToolRun.Of("quantize", _folder["nothing"], "--output", _folder["out"], "--verbosity", "quiet");

        Refusal.AssertIs(run, ExitCode.InputMissing, "FILE-MISSING");
    }

    [Fact]
    public void Quantize_Json_ResultThenExitLine()
    {
        ToolRun run = ToolRun.Succeed("quantize", Source, "--output", _folder["out"], "--json");

        JsonElement result = JsonResult.Of(run);
        Assert.Equal("quantized", result.GetProperty("type").GetString());
        Assert.Equal(("nf4", 64, true), (result.GetProperty("quant_type").GetString(), result.GetProperty("blocksize").GetInt32(), result.GetProperty("double_quant").GetBoolean()));
        Assert.Equal(_folder["out"], result.GetProperty("output").GetString());
        Assert.Equal((128 * 96) + 4, result.GetProperty("parameters").GetInt64());
        Assert.Equal(128 * 96, result.GetProperty("quantized_parameters").GetInt64());
        Assert.Equal(new FileInfo(_folder["model", "model.safetensors"]).Length, result.GetProperty("bytes_before").GetInt64());
        Assert.Equal(OutputFolder.WeightFileBytes(_folder["out"]), result.GetProperty("bytes_after").GetInt64());
        Assert.Equal(["quantized", "copied"], result.GetProperty("tensors").EnumerateArray().Select(tensor => tensor.GetProperty("action").GetString()));
    }

    [Fact]
    public void Quantize_JsonAndRefused_OnlyAnExitLineThatNamesTheError()
    {
        ToolRun run = ToolRun.Of("quantize", _folder["nothing"], "--output", _folder["out"], "--json");

        JsonElement line = Assert.Single(JsonResult.Lines(run));
        Assert.Equal((3, "FILE-MISSING"), (line.GetProperty("code").GetInt32(), line.GetProperty("error").GetString()));
        Assert.Equal(_folder["nothing"], line.GetProperty("file").GetString());
        Refusal.AssertIs(run, ExitCode.InputMissing, "FILE-MISSING");
    }

    [Fact]
    public void Quantize_DryRunJson_IsAPlanOfTheSameTensors()
    {
        string source = Source;
        JsonElement plan = JsonResult.Of(ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--json", "--dry-run"));
        Assert.False(Path.Exists(_folder["out"]));
        JsonElement result = JsonResult.Of(ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--json"));

        Assert.Equal("plan", plan.GetProperty("type").GetString());
        foreach (string member in (string[])["tensors", "skip_modules", "files", "parameters", "bytes_before", "bytes_after", "bits_per_parameter"])
            Assert.Equal(result.GetProperty(member).GetRawText(), plan.GetProperty(member).GetRawText());
    }

    [Fact]
    public void Quantize_LogFile_HoldsEveryDecisionWhateverTheVerbosity()
    {
        ToolRun.Succeed("quantize", Source, "--output", _folder["out"], "--verbosity", "quiet", "--log-file", _folder["logs", "run.log"]);

        string log = File.ReadAllText(_folder["logs", "run.log"]);
        Assert.Contains("model.layers.0.mlp.up_proj.weight: linear", log, StringComparison.Ordinal);
        Assert.Contains("kernel path", log, StringComparison.Ordinal);
        Assert.All(log.TrimEnd('\n').Split('\n'), line => Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S+ (DBG|INF|WRN) ", line));
    }

    [Theory]
    [InlineData("model/config.json/run.log")]
    [InlineData("no/such/run.log")]
    [InlineData("model")]
    public void Quantize_LogFileThatCannotBe_IsRefusedBeforeAnyWork(string log)
    {
        string source = CheckpointBuilder.SingleFile(_folder["model"], [TestTensor.Floats("model.layers.0.mlp.up_proj.weight", "F32", 64, 64)]);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"], "--log-file", Path.Combine(_folder.Path, log));

        Refusal.AssertIs(run, ExitCode.OutputRefused, "LOG-FILE");
        Assert.False(Path.Exists(_folder["no"]));
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Fact]
    public void Quantize_Diagnostic_NamesDecisionsOnStderr()
    {
        ToolRun run = ToolRun.Succeed("quantize", Source, "--output", _folder["out"], "--verbosity", "diagnostic", "--json");

        Assert.Contains("debug: model.norm.weight: ", run.Error, StringComparison.Ordinal);
        JsonResult.Of(run);
    }
}
