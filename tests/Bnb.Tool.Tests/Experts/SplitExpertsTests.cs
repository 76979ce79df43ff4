using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Experts;

/// <summary><c>--experts split</c>: a checkpoint with stacks of experts gives what its twin with single experts gives.</summary>
public sealed class SplitExpertsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("qwen3_moe", "nf4", "vllm,transformers4")]
    [InlineData("qwen3_moe", "fp4", "transformers4")]
    [InlineData("qwen3_moe", "int8", "transformers4")]
    [InlineData("qwen3_moe", "int4", "vllm,transformers4,transformers5,sglang", "--group-size", "32")]
    [InlineData("qwen3_moe", "fp8", "vllm")]
    [InlineData("qwen3_moe", "nf4", "vllm", "--scale", "search")]
    [InlineData("qwen2_moe", "nf4", "vllm", "--double-quant", "false")]
    [InlineData("qwen2_moe", "nf4", "transformers4,peft", "--exclude", "*.experts.1.*")]
    [InlineData("mixtral", "nf4", "vllm,transformers4")]
    [InlineData("mixtral", "int4", "vllm,transformers5", "--group-size", "32")]
    [InlineData("deepseek_v3", "nf4", "vllm")]
    [InlineData("qwen3_5_moe", "nf4", "vllm")]
    [InlineData("qwen3_5_moe", "int4", "transformers5", "--group-size", "32")]
    [InlineData("nemotron_h", "int4", "transformers5", "--group-size", "32")]
    [InlineData("llama4", "nf4", "vllm")]
    [InlineData("llama4", "int4", "vllm", "--group-size", "32")]
    [InlineData("llama4", "int8", "vllm", "--exclude", "*experts*", "--dtype", "float16")]
    [InlineData("qwen3_vl_moe", "nf4", "vllm")]
    [InlineData("qwen3_vl_moe", "nf4", "vllm", "--dtype", "float16")]
    public void Quantize_Stacks_GivesTheBytesOfTheTwinWithSingleExperts(string model, string type, string target, params string[] options)
    {
        ExpertModel family = ExpertModel.All[model];
        string single = family.WriteOneByOne(_folder["single"]), stacks = family.WriteStacks(_folder["stacks"]);
        // int8 experts are for no server; what is excluded is plain for both.
        string[] asked = type == "int8" && target == "vllm" ? [] : ["--loads-in", target];
        ToolRun.Succeed(["quantize", single, "--output", _folder["wanted"], "--type", type, "--experts", "pack", .. asked, .. options]);

        ToolRun run = ToolRun.Of(["quantize", stacks, "--output", _folder["out"], "--type", type, "--experts", "split", "--loads-in", target, .. options]);

        if (asked.Length == 0)
        {
            Refusal.AssertIs(run, ExitCode.InputUnsupported, "LOADS-IN");
            return;
        }

        Assert.True(run.Exit == ExitCode.Done, run.Error);
        AssertSameModel(_folder["wanted"], _folder["out"]);
        ToolRun.Succeed("verify", _folder["out"], "--source", stacks);
        ToolRun.Succeed("verify", _folder["out"], "--source", single);
    }

    private static void AssertSameModel(string wanted, string found)
    {
        var expected = OutputFolder.Tensors(wanted);
        var tensors = OutputFolder.Tensors(found);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), tensors.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, var (info, bytes)) in expected)
        {
            Assert.Equal((name, info.DType, info.Shape.ToString()), (name, tensors[name].Info.DType, tensors[name].Info.Shape.ToString()));
            Assert.True(bytes.AsSpan().SequenceEqual(tensors[name].Bytes), name);
        }

        Assert.Equal(File.ReadAllText(Path.Combine(wanted, "config.json")), File.ReadAllText(Path.Combine(found, "config.json")));
    }
}
