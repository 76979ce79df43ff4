using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.FieldReports;

/// <summary><c>--loads-in</c>, <c>explain</c>'s types and the lines about experts and unknown names.</summary>
public sealed class LoadsInTests : IDisposable
{
    private const string Llama = "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\"}\n";
    private const string Mixtral = "{\"architectures\": [\"MixtralForCausalLM\"], \"model_type\": \"mixtral\"}\n";
    private const string Query = "model.layers.0.self_attn.q_proj.weight";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("transformers4", "nf4")]
    [InlineData("transformers4", "int8")]
    [InlineData("transformers4", "int4")]
    [InlineData("sglang", "nf4")]
    [InlineData("sglang", "int4")]
    [InlineData("transformers4,transformers5,vllm,sglang", "nf4")]
    public void Quantize_ForALoaderThatHasTheClass_Goes(string target, string type)
    {
        string source = CheckpointBuilder.SingleFile(_folder["llama"], [TestTensor.Floats(Query, "BF16", 128, 128)], Llama);

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--type", type, "--loads-in", target);
    }

    [Theory]
    [InlineData("transformers4", "nf4", "", "has no class of that name")]
    [InlineData("sglang", "nf4", "--quant-storage bfloat16", "reads uint8 storage only")]
    [InlineData("sglang", "fp4", "", "packed experts as nf4 and int4 only")]
    [InlineData("sglang", "nf4", "--experts keep", "takes all experts of a bitsandbytes checkpoint for packed")]
    [InlineData("sglang", "int8", "--exclude *experts* --experts keep", "takes all experts")]
    public void Quantize_ForALoaderThatCannot_IsRefusedWithAWayForward(string target, string type, string options, string reason)
    {
        // Only transformers 5 has the first, every library the second.
        (string config, string leaf) = target == "transformers4"
            ? ("{\"architectures\": [\"Qwen3_5ForCausalLM\"], \"model_type\": \"qwen3_5_text\"}\n", "mlp.up_proj")
            : (Mixtral, "block_sparse_moe.experts.0.w1");
        string source = CheckpointBuilder.SingleFile(
            _folder["source"], [TestTensor.Floats(Query, "BF16", 64, 64), TestTensor.Floats($"model.layers.0.{leaf}.weight", "BF16", 64, 64)], config);

        ToolRun run = ToolRun.Of(["quantize", source, "--output", _folder["out"], "--type", type, "--loads-in", target, .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "LOADS-IN");
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("transformers4", "{\"architectures\": [\"Qwen3MoeForCausalLM\"], \"model_type\": \"qwen3_moe\"}", "use --experts split")]
    [InlineData("sglang", "{\"_class_name\": \"FluxTransformer2DModel\"}", "leave the word out of --loads-in")]
    [InlineData("sglang", "{\"architectures\": [\"X\"], \"model_type\": \"nobody\"}", "leave the word out of --loads-in")]
    [InlineData("peft", "{\"architectures\": [\"X\"], \"model_type\": \"nobody\"}", "leave the word out of --loads-in")]
    public void Quantize_ForALoaderThatHasNoSuchModel_IsRefusedWithAWayForward(string target, string config, string action)
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [
                TestTensor.Floats(Query, "BF16", 64, 64), TestTensor.Floats("model.layers.0.mlp.gate.weight", "BF16", 2, 64),
                TestTensor.Floats("model.layers.0.mlp.experts.gate_up_proj", "BF16", 2, 128, 64), TestTensor.Floats("model.layers.0.mlp.experts.down_proj", "BF16", 2, 64, 64),
            ],
            config);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"], "--loads-in", target);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "LOADS-IN");
        Assert.Contains(action, run.Error.ReplaceLineEndings(" "), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nf4", "transformers 4 and vLLM read that; transformers 5, which fuses experts, does not; --experts keep or -t int4 does for it")]
    [InlineData("int8", "transformers 4 reads that; vLLM has no int8 experts, and transformers 5")]
    [InlineData("int4", "transformers 4 and 5 and vLLM read that where it is symmetric")]
    public void Quantize_ExpertsAndUnknownNames_HaveALine(string type, string expected)
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["mixtral"],
            [
                TestTensor.Floats("model.layers.0.block_sparse_moe.experts.0.w1.weight", "BF16", 128, 128),
                TestTensor.Floats(Query, "BF16", 128, 128), TestTensor.Floats("model.layers.0.unheard_of.up_proj.weight", "BF16", 128, 128),
            ],
            Mixtral);

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--type", type);

        string said = string.Join(' ', (run.Out + run.Error).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("experts are quantized one by one: " + expected, said, StringComparison.Ordinal);
        Assert.Contains("1 tensors have names that no known version of MixtralForCausalLM has: they were judged by their names", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("int4", "", "copy [unaligned")]
    [InlineData("int4", "--group-size 32", "quantize [linear")]
    [InlineData("fp8", "", "quantize [linear")]
    [InlineData("nf4", "--block-size 128", "quantize [linear")]
    [InlineData("int8", "", "quantize [linear")]
    public void Explain_KnowsTypesAndTheirGroups(string type, string options, string expected)
    {
        string source = CheckpointBuilder.SingleFile(_folder["llama"], [TestTensor.Floats(Query, "BF16", 64, 96)], Llama);

        ToolRun run = ToolRun.Succeed(["explain", source, "--type", type, .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        Assert.Contains($"{Query}: {expected}", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none", "")]
    [InlineData("nf4", "--group-size 32")]
    [InlineData("int4", "--block-size 64")]
    public void Explain_OptionsOfAnotherType_AreMistakes(string type, string options)
    {
        string source = CheckpointBuilder.SingleFile(_folder["llama"], [TestTensor.Floats(Query, "BF16", 64, 64)], Llama);

        Refusal.AssertIs(ToolRun.Of(["explain", source, "--type", type, .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]), ExitCode.Usage, "USAGE");
    }

    [Fact]
    public void Refusal_OfBytesThatAreEscaped_ShowsThemOnce()
    {
        ToolRun run = ToolRun.Of("inspect", _folder.Write("odd.safetensors", [0x80, 0x02, .. "}q\u0001\u001b[31m and no checkpoint"u8]));

        Assert.Contains("starts with", run.Error, StringComparison.Ordinal);
        Assert.Contains(@" \x80\x02}q\x01\x1b[31m", run.Error, StringComparison.Ordinal);
        Refusal.AssertHarmless(run.Error);
    }
}
