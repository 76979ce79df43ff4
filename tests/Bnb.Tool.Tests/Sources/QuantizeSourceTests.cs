using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary>
/// Quantizing FP8, FP4, GPTQ, AWQ and bitsandbytes sources gives the bytes that quantizing the dequantized model gives, and
/// <c>verify</c> takes such a source.
/// </summary>
public sealed class QuantizeSourceTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string> Sources
    {
        get
        {
            var all = new TheoryData<string, string>();
            foreach (string from in (string[])["fp8_block/deepseek_v3", "mxfp4/gpt_oss", "gptq_awq/gptq", "gptq_awq/awq", "nvfp4/modelopt", "mxfp4/compressed_tensors"])
                foreach (string type in (string[])["nf4", "int8", "int4"]) all.Add(from, type);
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void Quantize_Source_IsQuantizingItsDenseForm(string from, string type)
    {
        string source = Finite(from);
        ToolRun.Succeed("dequantize", source, "--output", _folder["dense"]);
        ToolRun.Succeed("quantize", _folder["dense"], "--output", _folder["twice"], "--type", type);

        ToolRun.Succeed("quantize", source, "--output", _folder["once"], "--type", type);

        var once = OutputFolder.Tensors(_folder["once"]);
        var twice = OutputFolder.Tensors(_folder["twice"]);
        Assert.Equal(twice.Keys.Order(StringComparer.Ordinal), once.Keys.Order(StringComparer.Ordinal));
        Assert.All(twice, tensor => Assert.True(tensor.Value.Bytes.AsSpan().SequenceEqual(once[tensor.Key].Bytes), tensor.Key));
        Checkpoint result = Checkpoint.Open(_folder["once"], requireConfig: true);
        Assert.Equal(Checkpoint.Open(_folder["twice"], requireConfig: true).Config!.QuantMethod, result.Config!.QuantMethod);
    }

    [Theory]
    [InlineData("fp8_block/deepseek_v3", "nf4")]
    [InlineData("fp8_block/deepseek_v3", "int8")]
    [InlineData("fp8_block/llama", "nf4")]
    [InlineData("fp8_block/llama", "fp8")]
    [InlineData("mxfp4/gpt_oss", "nf4")]
    [InlineData("gptq_awq/awq", "nf4")]
    public void Verify_AgainstSuchASource_Passes(string from, string type)
    {
        string source = Finite(from);
        ToolRun.Succeed("quantize", source, "--output", _folder["once"], "--type", type);

        // bfloat16, because products of the AWQ vectors leave the range of float16.
        ToolRun run = ToolRun.Of("verify", _folder["once"], "--source", source, "--compute-dtype", "bfloat16");

        Assert.True(run.Exit == ExitCode.Done, run.Out + run.Error);
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Quantize_WhatThisToolMade_IsQuantizingItsDenseForm(string first)
    {
        string original = CheckpointBuilder.SingleFile(
            _folder["original"], [TestTensor.Floats("model.layers.0.mlp.up_proj.weight", "BF16", 48, 256), TestTensor.Floats("model.layers.0.mlp.down_proj.weight", "BF16", 33, 384)]);
        ToolRun.Succeed("quantize", original, "--output", _folder["first"], "--type", first);
        ToolRun.Succeed("dequantize", _folder["first"], "--output", _folder["dense"]);

        foreach (string next in (string[])["nf4", "fp4", "int8", "int4"])
        {
            ToolRun.Succeed("quantize", _folder["first"], "--output", _folder["once-" + next], "--type", next);
            ToolRun.Succeed("quantize", _folder["dense"], "--output", _folder["twice-" + next], "--type", next);
            var once = OutputFolder.Tensors(_folder["once-" + next]);
            var twice = OutputFolder.Tensors(_folder["twice-" + next]);
            Assert.Equal(twice.Keys.Order(StringComparer.Ordinal), once.Keys.Order(StringComparer.Ordinal));
            Assert.All(twice, tensor => Assert.True(tensor.Value.Bytes.AsSpan().SequenceEqual(once[tensor.Key].Bytes), $"{first} to {next}: {tensor.Key}"));
        }
    }

    [Fact]
    public void Quantize_QuantizedSource_SaysWhatItIs()
    {
        ToolRun run = ToolRun.Succeed("quantize", Golden.File("sources", "fp8_block", "deepseek_v3"), "--output", _folder["out"]);

        Assert.Contains("the source is quantized already (fp8)", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_NonFiniteSource_IsRefusedWithItsPlace()
    {
        ToolRun run = ToolRun.Of("quantize", GoldenSource.Copy(_folder, "source", "fp8_block"), "--output", _folder["out"], "--include", "*");

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "DATA-NONFINITE");
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    /// <summary>The folder itself, or a copy without the tensors that hold every code, NaN among them.</summary>
    private string Finite(string from)
    {
        string golden = Golden.File("sources", from);
        if (File.Exists(Path.Combine(golden, "model.safetensors"))) return golden;
        GoldenTensors all = GoldenTensors.Load("sources", from, "tensors.safetensors");
        string config = File.ReadAllText(Path.Combine(golden, "config.json"));
        // Names that the rules take for linear layers.
        return CheckpointBuilder.SingleFile(
            _folder["source"],
            all.Names.Where(name => !name.Contains("all", StringComparison.Ordinal) || name.Contains("group_all", StringComparison.Ordinal))
                .Where(name => !name.Contains("range", StringComparison.Ordinal) && !name.Contains("8bit", StringComparison.Ordinal))
                .Select(name => new TestTensor(
                    name.StartsWith("model.", StringComparison.Ordinal) ? name : "model.layers.0.mlp." + name.Replace("layers.0.", "", StringComparison.Ordinal),
                    all.Dtype(name), all.Shape(name), all.Bytes(name))),
            config);
    }
}
