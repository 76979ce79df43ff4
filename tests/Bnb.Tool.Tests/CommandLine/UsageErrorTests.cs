using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

/// <summary>Mistakes in the command line: exit 2, one error, one hint, nothing created.</summary>
public sealed class UsageErrorTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Source => CheckpointBuilder.SingleFile(_folder["model"], [TestTensor.Floats("model.layers.0.mlp.up_proj.weight", "F32", 64, 64)]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--bogus")]
    [InlineData("--type", "int2")]
    [InlineData("--type", "INT8")]
    [InlineData("--type", "NF4")]
    [InlineData("--type")]
    [InlineData("--block-size", "63")]
    [InlineData("--block-size", "16")]
    [InlineData("--block-size", "8192")]
    [InlineData("--block-size", "")]
    [InlineData("--block-size", "64.0")]
    [InlineData("--double-quant")]
    [InlineData("--double-quant", "yes")]
    [InlineData("--compute-dtype", "int8")]
    [InlineData("--quant-storage", "float64")]
    [InlineData("--threads", "0")]
    [InlineData("--threads", "-1")]
    [InlineData("--threads", "1025")]
    [InlineData("--threads", "two")]
    [InlineData("--threads", "1", "--threads", "2")]
    [InlineData("--max-shard-size", "abc")]
    [InlineData("--max-shard-size", "0")]
    [InlineData("--max-shard-size", "-5GB")]
    [InlineData("--max-shard-size", "5XB")]
    [InlineData("--max-shard-size", "9999999999TB")]
    [InlineData("--max-memory", "1")]
    [InlineData("--max-memory", "much")]
    [InlineData("--non-finite", "ignore")]
    [InlineData("--verbosity", "loud")]
    [InlineData("--log-file", "")]
    [InlineData("--log-file", "-x")]
    [InlineData("--config", "")]
    [InlineData("--config", "~/recipe.json")]
    [InlineData("--output", "~/out")]
    [InlineData("--output", "~")]
    [InlineData("--output", "file:///models/out")]
    [InlineData("--output", "not\ufffdtext")]
    [InlineData("--merge-lora", "~/adapter")]
    [InlineData("--include")]
    [InlineData("--exclude", "")]
    [InlineData("--exclude", "nothing.like.this")]
    [InlineData("another-source")]
    [InlineData("--output", "elsewhere")]
    public void Quantize_BadOption_IsOneErrorAndExit2(params string[] bad)
    {
        string source = Source;

        ToolRun run = ToolRun.Of(["quantize", source, "--output", _folder["out"], .. bad]);

        AssertUsage(run);
        Assert.Empty(run.Out);
        Assert.Equal([source], Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData("quantize", "", "--output", "out")]
    [InlineData("quantize", "-x", "--output", "out")]
    [InlineData("quantize", "model", "--output", "")]
    [InlineData("quantize", "model", "--output", "-x")]
    [InlineData("quantize", "model", "--output", "a\0b")]
    [InlineData("quantize", "model")]
    [InlineData("quantize", "--output", "out")]
    [InlineData("inspect")]
    [InlineData("inspect", "")]
    [InlineData("inspect", "--weights")]
    [InlineData("inspect", "a", "b")]
    [InlineData("demo")]
    [InlineData("demo", "")]
    [InlineData("demo", "-d")]
    [InlineData("dequantize", "model")]
    [InlineData("")]
    public void Run_BadArguments_IsOneErrorAndExit2(params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        AssertUsage(run);
        Assert.Empty(run.Out);
    }

    [Theory]
    [InlineData("quantize", "model", "--output", "out", "--json", "--block-size", "63")]
    [InlineData("--json", "quantize")]
    [InlineData("inspect", "--json", "")]
    public void Run_UsageErrorWithJson_EndsWithAnExitLine(params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        AssertUsage(run);
        JsonElement line = Assert.Single(JsonResult.Lines(run));
        Assert.Equal("USAGE", line.GetProperty("error").GetString());
    }

    [Fact]
    public void Run_NoArguments_ShowsTheHelpAndExits2()
    {
        ToolRun run = ToolRun.Of();

        Assert.Equal(ExitCode.Usage, run.Exit);
        Assert.Contains("Usage:", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_UnknownOption_NamesItAndTheHelp()
    {
        ToolRun run = ToolRun.Of("quantize", "model", "--output", "out", "--blocksize", "64");

        AssertUsage(run);
        Assert.Contains("--blocksize", run.Error, StringComparison.Ordinal);
        Assert.Contains("dotnet bnb quantize --help", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_BadValue_NamesOptionValueAndChoices()
    {
        ToolRun run = ToolRun.Of("quantize", "model", "--output", "out", "--block-size", "63");

        Assert.StartsWith("error[USAGE]: --block-size does not know '63'; it takes 32, 64,", run.Error, StringComparison.Ordinal);
    }

    private static void AssertUsage(ToolRun run)
    {
        Assert.True(run.Exit == ExitCode.Usage, $"exit {run.Exit}: {run.Error}");
        Assert.Single(run.Error.Split('\n'), line => line.StartsWith("error[", StringComparison.Ordinal));
        Assert.DoesNotContain("Usage:", run.Error, StringComparison.Ordinal);
        Refusal.AssertHarmless(run.Error);
    }
}
