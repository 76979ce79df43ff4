using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary><c>-t fp8</c>, <c>-t none</c> and <c>--min-coverage</c>.</summary>
public sealed class Fp8OutputTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_ToFp8_WritesTheLibrarysBytes()
    {
        GoldenTensors source = GoldenTensors.Load("fp8_quantize", "source.safetensors"), expected = GoldenTensors.Load("fp8_quantize", "expected.safetensors");
        string folder = CheckpointBuilder.SingleFile(_folder["source"], source.Names.Select(name => new TestTensor(
            $"model.layers.0.mlp.{name}.weight", source.Dtype(name), source.Shape(name), source.Bytes(name))));

        ToolRun.Succeed("quantize", folder, "--output", _folder["out"], "-t", "fp8");

        var tensors = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(expected.Names.Count(), tensors.Count);
        foreach (string name in expected.Names)
        {
            (var info, byte[] bytes) = tensors["model.layers.0.mlp." + name];
            Assert.Equal(expected.Dtype(name), info.DType.Name());
            Assert.Equal(expected.Shape(name), info.Shape.Dimensions);
            Assert.True(expected.Bytes(name).AsSpan().SequenceEqual(bytes), name);
        }
    }

    [Fact]
    public void Quantize_ToFp8_SaysSoInTheConfigAsTheLibraryDoes()
    {
        ToolRun.Succeed("quantize", Golden.File("lora", "base"), "--output", _folder["out"], "-t", "fp8");

        JsonElement own = JsonElement.Parse(File.ReadAllText(_folder["out", "config.json"])).GetProperty("quantization_config");
        JsonElement library = JsonElement.Parse(File.ReadAllText(Golden.File("sources", "fp8_channel", "config.json"))).GetProperty("quantization_config");
        foreach (string member in (string[])["format", "quant_method", "quantization_status", "kv_cache_scheme", "global_compression_ratio"])
            Assert.Equal(library.GetProperty(member).ToString(), own.GetProperty(member).ToString());
        JsonElement ours = own.GetProperty("config_groups").GetProperty("group_0"), theirs = library.GetProperty("config_groups").GetProperty("group_0");
        foreach (string part in (string[])["weights", "input_activations"])
            foreach (JsonProperty member in theirs.GetProperty(part).EnumerateObject())
                Assert.Equal(member.Value.ToString(), ours.GetProperty(part).GetProperty(member.Name).ToString());
        Assert.Contains("lm_head", own.GetProperty("ignore").EnumerateArray().Select(item => item.GetString()));
    }

    [Fact]
    public void Verify_OfFp8_Passes()
    {
        ToolRun.Succeed("quantize", Golden.File("lora", "base"), "--output", _folder["out"], "-t", "fp8");

        ToolRun run = ToolRun.Of("verify", _folder["out"], "--source", Golden.File("lora", "base"));

        Assert.True(run.Exit == ExitCode.Done, run.Out + run.Error);
        // Theory says nothing about fp8, and no number is better than a made-up one.
        Assert.DoesNotContain("(theory", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_OfFp8WithAChangedCode_Fails()
    {
        ToolRun.Succeed("quantize", Golden.File("lora", "base"), "--output", _folder["out"], "-t", "fp8");
        string file = _folder["out", "model.safetensors"];
        byte[] bytes = File.ReadAllBytes(file);
        // The widest elements come first and FP8 codes last.
        bytes[^100] ^= 1;
        File.WriteAllBytes(file, bytes);

        Assert.Equal(ExitCode.VerificationFailed, ToolRun.Of("verify", _folder["out"], "--source", Golden.File("lora", "base")).Exit);
    }

    [Fact]
    public void Dequantize_OfFp8_IsWithinHalfAStep()
    {
        ToolRun.Succeed("quantize", Golden.File("lora", "base"), "--output", _folder["out"], "-t", "fp8");
        ToolRun.Succeed("dequantize", _folder["out"], "--output", _folder["back"]);

        var before = OutputFolder.Tensors(Golden.File("lora", "base"));
        var after = OutputFolder.Tensors(_folder["back"]);
        Assert.Equal(before.Keys.Order(StringComparer.Ordinal), after.Keys.Order(StringComparer.Ordinal));
        Assert.All(before, tensor => Assert.Equal((tensor.Value.Info.DType, tensor.Value.Info.Shape), (after[tensor.Key].Info.DType, after[tensor.Key].Info.Shape)));
    }

    [Fact]
    public void Quantize_ToNone_WritesThePlainModelAgain()
    {
        ToolRun.Succeed("quantize", Golden.File("lora", "base"), "--output", _folder["out"], "-t", "none");

        var before = OutputFolder.Tensors(Golden.File("lora", "base"));
        var after = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(before.Keys.Order(StringComparer.Ordinal), after.Keys.Order(StringComparer.Ordinal));
        Assert.All(before, tensor => Assert.True(tensor.Value.Bytes.AsSpan().SequenceEqual(after[tensor.Key].Bytes), tensor.Key));
        Assert.Equal(File.ReadAllText(Golden.File("lora", "base", "config.json")), File.ReadAllText(_folder["out", "config.json"]));
    }

    [Fact]
    public void Quantize_SourceToNone_IsDequantizing()
    {
        string source = Golden.File("sources", "fp8_block", "deepseek_v3");
        ToolRun.Succeed("dequantize", source, "--output", _folder["dense"]);

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "-t", "none");

        var dense = OutputFolder.Tensors(_folder["dense"]);
        var none = OutputFolder.Tensors(_folder["out"]);
        Assert.Equal(dense.Keys.Order(StringComparer.Ordinal), none.Keys.Order(StringComparer.Ordinal));
        Assert.All(dense, tensor => Assert.True(tensor.Value.Bytes.AsSpan().SequenceEqual(none[tensor.Key].Bytes), tensor.Key));
        Assert.Equal(File.ReadAllText(_folder["dense", "config.json"]), File.ReadAllText(_folder["out", "config.json"]));
    }

    [Theory]
    [InlineData("50%", 0)]
    [InlineData("99.5", 14)]
    [InlineData("101", 2)]
    [InlineData("most", 2)]
    public void Quantize_WithMinCoverage_FailsBelowIt(string wanted, int exit)
    {
        ToolRun run = ToolRun.Of("quantize", Golden.File("lora", "base"), "--output", _folder["out"], "--min-coverage", wanted);

        Assert.True((int)run.Exit == exit, run.Error);
        if (exit != 14) return;
        Refusal.AssertIs(run, ExitCode.VerificationFailed, "COVERAGE");
        Assert.Contains("left out", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }
}
