using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Selection;

/// <summary>--include, --exclude and --exclude-unaligned from the command line to the bytes.</summary>
public sealed class PatternOptionTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;

    public PatternOptionTests() => _source = CheckpointBuilder.SingleFile(
        _folder["model"],
        [
            TestTensor.Floats("model.layers.0.mlp.down_proj.weight", "BF16", 64, 128),
            TestTensor.Floats("model.layers.1.mlp.down_proj.weight", "BF16", 64, 128),
            TestTensor.Floats("model.layers.1.self_attn.o_proj.weight", "BF16", 64, 96),
            TestTensor.Floats("lm_head.weight", "BF16", 32, 64),
            TestTensor.Floats("model.norm.weight", "BF16", 64),
        ]);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_NoPatterns_QuantizesTheLinearLayersButTheHead() => Assert.Equal(
        ["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj", "model.layers.1.self_attn.o_proj"], Quantized());

    [Theory]
    [InlineData("--exclude", "*.1.*", "--include", "*o_proj")]
    [InlineData("--exclude", "*.1.*", "--exclude", "*.0.*", "--include", "*o_proj", "--include", "*.0.*")]
    [InlineData("--include", "*", "--exclude", "*.1.mlp*", "--exclude", "lm_head")]
    public void Quantize_Patterns_LastMatchWins(params string[] patterns) =>
        Assert.Equal(["model.layers.0.mlp.down_proj", "model.layers.1.self_attn.o_proj"], Quantized(patterns));

    [Fact]
    public void Quantize_SamePatternsInTheOtherOrder_GiveTheOtherResult()
    {
        Assert.Equal(["model.layers.0.mlp.down_proj"], Quantized("--include", "*o_proj", "--exclude", "*.1.*"));
        Assert.Contains("lm_head", Quantized("--include", "lm_head"));
    }

    [Fact]
    public void Quantize_PatternBeforeTheSource_TakesOneValueOnly()
    {
        ToolRun run = ToolRun.Succeed("quantize", "--exclude", "*.1.*", _source, "--output", _folder["out"], "--json");

        Assert.Equal(["model.layers.0.mlp.down_proj"], Quantized(run));
    }

    [Theory]
    [InlineData("--exclude=*.1.*")]
    [InlineData("--exclude:*.1.*")]
    public void Quantize_PatternJoinedToItsOption_IsUnderstood(string pattern) =>
        Assert.Equal(["model.layers.0.mlp.down_proj"], Quantized(pattern));

    [Theory]
    [InlineData("--exclude", "*.2.*")]
    [InlineData("--include", "*down_prj*")]
    public void Quantize_PatternThatMatchesNothing_NamesTheNearest(string option, string pattern)
    {
        ToolRun run = ToolRun.Of("quantize", _source, "--output", _folder["out"], option, pattern);

        Refusal.AssertIs(run, ExitCode.Usage, "PATTERN-UNMATCHED");
        Assert.Contains(pattern, run.Error, StringComparison.Ordinal);
        Assert.Contains("nearest", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("--include", "re:(")]
    [InlineData("--exclude", @"re:(?=a).*")]
    public void Quantize_PatternThatIsNoExpression_IsRefused(string option, string pattern)
    {
        ToolRun run = ToolRun.Of("quantize", _source, "--output", _folder["out"], option, pattern);

        Refusal.AssertIs(run, ExitCode.Usage, "PATTERN-INVALID");
        Assert.Contains(pattern, run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Fact]
    public void Quantize_IncludeOfANorm_IsRefused()
    {
        ToolRun run = ToolRun.Of("quantize", _source, "--output", _folder["out"], "--include", "model.norm");

        Refusal.AssertIs(run, ExitCode.Usage, "PATTERN-IMPOSSIBLE");
    }

    [Fact]
    public void Quantize_ExcludeUnaligned_LeavesOutWhatIsNoMultipleOfTheBlock()
    {
        ToolRun run = ToolRun.Succeed("quantize", _source, "--output", _folder["a"], "--json");
        Assert.Contains("1 layers have an input size that is not a multiple of 64", run.Error, StringComparison.Ordinal);

        Assert.DoesNotContain("model.layers.1.self_attn.o_proj", Quantized("--exclude-unaligned"));
        run = ToolRun.Succeed("quantize", _source, "--output", _folder["c"], "--block-size", "32", "--exclude-unaligned", "--json");
        Assert.Contains("model.layers.1.self_attn.o_proj", Quantized(run));
    }

    [Fact]
    public void Quantize_Excluded_IsNamedInTheSkipListAndCopied()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--exclude", "*o_proj");

        JsonElement config = JsonElement.Parse(File.ReadAllText(_folder["out", "config.json"])).GetProperty("quantization_config");
        Assert.Contains(config.GetProperty("llm_int8_skip_modules").EnumerateArray(), module => "model.layers.1.self_attn.o_proj".EndsWith(module.GetString()!, StringComparison.Ordinal));
        Assert.Equal(
            OutputFolder.Tensors(_source)["model.layers.1.self_attn.o_proj.weight"].Bytes,
            OutputFolder.Tensors(_folder["out"])["model.layers.1.self_attn.o_proj.weight"].Bytes);
    }

    [Fact]
    public void Quantize_EverythingExcluded_IsACopyWithAWarning()
    {
        ToolRun run = ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--exclude", "*");

        Assert.Single(run.Error.Split('\n'), line => line.StartsWith("warning: no tensor", StringComparison.Ordinal));
        Assert.Equal(OutputFolder.Tensors(_source).Keys.Order(), OutputFolder.Tensors(_folder["out"]).Keys.Order());
    }

    private string[] Quantized(params string[] options) =>
        Quantized(ToolRun.Succeed(["quantize", _source, "--output", _folder["out"], "--json", "--overwrite", .. options]));

    private static string[] Quantized(ToolRun run) => [.. JsonResult.Of(run).GetProperty("tensors").EnumerateArray()
        .Where(tensor => tensor.GetProperty("action").GetString() == "quantized")
        .Select(tensor => tensor.GetProperty("name").GetString()!.Replace(".weight", "", StringComparison.Ordinal))
        .Order(StringComparer.Ordinal)];
}
