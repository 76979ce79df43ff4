using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Experts;

/// <summary><c>--experts split</c>: a checkpoint with stacks of experts gives what its twin with single experts gives.</summary>
public sealed class SplitExpertsTests : IDisposable
{
    private const string Gate = "model.layers.1.mlp.experts.2.gate_proj.weight";
    private readonly TempFolder _folder = new();

    private string Output => _folder["out"];

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
    [InlineData("llama4", "nf4", "vllm", "--max-memory", "2MiB", "--threads", "2")]
    [InlineData("llama4", "int4", "vllm", "--group-size", "32")]
    [InlineData("qwen3_vl_moe", "nf4", "vllm")]
    [InlineData("qwen3_vl_moe", "nf4", "vllm", "--dtype", "float16")]
    public void Quantize_Stacks_GivesTheBytesOfTheTwinWithSingleExperts(string model, string type, string target, params string[] options)
    {
        ExpertModel family = ExpertModel.All[model];
        string single = family.WriteOneByOne(_folder["single"]), stacks = family.WriteStacks(_folder["stacks"]);
        ToolRun.Succeed(["quantize", single, "--output", _folder["wanted"], "--type", type, "--experts", "pack", "--loads-in", target, .. options]);

        ToolRun.Succeed(["quantize", stacks, "--output", Output, "--type", type, "--experts", "split", "--loads-in", target, .. options]);

        AssertSameModel(_folder["wanted"], Output);
        ToolRun.Succeed("verify", Output, "--source", stacks);
        ToolRun.Succeed("verify", Output, "--source", single);
        if (type != "fp8") ToolRun.Succeed("lint", Output, "--for", target.Split(',')[0]);
    }

    [Theory]
    [InlineData("F16", "qwen3_moe")]
    [InlineData("F32", "qwen3_vl_moe")]
    [InlineData("F64", "qwen3_vl_moe")]
    [InlineData("F64", "qwen3_moe")]
    public void Quantize_StacksOfEveryDType_GivesTheBytesOfTheTwin(string dtype, string model)
    {
        ExpertModel family = ExpertModel.All[model];
        string single = family.WriteOneByOne(_folder["single"], dtype), stacks = family.WriteStacks(_folder["stacks"], dtype);
        foreach (string type in (string[])["nf4", "none"])
        {
            // --loads-in vllm would not take float32.
            string[] asked = type == "none" ? ["--loads-in", "vllm"] : ["--loads-in", "vllm", "--dtype", "bfloat16"];
            ToolRun.Succeed(["quantize", single, "--output", _folder["wanted" + type], "--type", type, .. asked]);
            ToolRun.Succeed(["quantize", stacks, "--output", _folder["out" + type], "--type", type, "--experts", "split", .. asked]);

            AssertSameModel(_folder["wanted" + type], _folder["out" + type]);
        }
    }

    [Fact]
    public void Quantize_StacksOfFp8Blocks_AreDecodedAndSplit()
    {
        ExpertModel family = ExpertModel.All["qwen3_moe"];
        string stacks = family.WriteStacks(_folder["stacks"]);
        var tensors = OutputFolder.Tensors(stacks).Select(tensor => new TestTensor(tensor.Key, "BF16", [.. tensor.Value.Info.Shape.Dimensions], tensor.Value.Bytes));
        string source = CheckpointBuilder.SingleFile(
            _folder["fp8"],
            tensors.SelectMany(tensor => tensor.Shape.Length < 3 ? [tensor] : (TestTensor[])
            [
                // E4M3 without its NaN, in blocks of 32 x 64.
                tensor with { DType = "F8_E4M3", Data = [.. tensor.Data.Where((_, i) => i % 2 == 0).Select(value => (byte)(value & 0xF7))] },
                TestTensor.Floats(tensor.Name + "_scale_inv", "F32", tensor.Shape[0], tensor.Shape[1] / 32, tensor.Shape[2] / 64),
            ]),
            File.ReadAllText(Path.Combine(stacks, "config.json")).Replace(
                "\"torch_dtype\"", "\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [32, 64]}, \"torch_dtype\"", StringComparison.Ordinal));
        string[] asked = ["--experts", "split", "--loads-in", "vllm"];
        ToolRun.Succeed("dequantize", source, "--output", _folder["plain"]);
        ToolRun.Succeed(["quantize", _folder["plain"], "--output", _folder["wanted"], .. asked]);

        ToolRun run = ToolRun.Succeed(["quantize", source, "--output", Output, .. asked]);

        AssertSameModel(_folder["wanted"], Output);
        Assert.Contains("quantized already (fp8)", run.Error, StringComparison.Ordinal);
        ToolRun.Succeed("verify", Output, "--source", source);
    }

    [Fact]
    public void Quantize_WorkersAndSmallFiles_MakeTheOutputOfOneRun()
    {
        string source = ExpertModel.All["llama4"].WriteStacks(_folder["stacks"]);
        string[] asked = ["--experts", "split", "--loads-in", "vllm", "--max-shard-size", "30kB"];
        ToolRun.Succeed(["quantize", source, "--output", _folder["fresh"], .. asked]);

        foreach (string worker in (string[])["2/3", "3/3"]) ToolRun.Succeed(["quantize", source, "--output", Output, "--worker", worker, .. asked]);
        // The rest, after what is there already; another choice of experts is another plan.
        Refusal.AssertIs(
            ToolRun.Of("quantize", source, "--output", Output, "--max-shard-size", "30kB"), ExitCode.CannotResume, "STAGING-PLAN");
        ToolRun run = ToolRun.Succeed(["quantize", source, "--output", Output, "--json", .. asked]);

        Assert.InRange(JsonResult.Of(run).GetProperty("files_reused").GetInt32(), 2, 100);
        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(Output));
        Assert.Contains("\"experts\": \"split\"", File.ReadAllText(_folder["out", "bnb-manifest.json"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_StackThatChanged_NamesTheExpert()
    {
        string source = ExpertModel.All["qwen3_moe"].WriteStacks(_folder["stacks"]);
        ToolRun.Succeed("quantize", source, "--output", Output, "--experts", "split", "--loads-in", "vllm");
        string file = Directory.GetFiles(source, "*2-of-00002.safetensors").Single();
        byte[] bytes = File.ReadAllBytes(file);
        // The last stack of gate and up lies before the last of down: [3, 128, 128] before [3, 128, 64], two bytes a value.
        int last = bytes.Length - (3 * 128 * 64 * 2) - (64 * 128 * 2);
        for (int i = 0; i < 64 * 128; i++) bytes[last - 1 - (2 * i)] ^= 0x80;
        File.WriteAllBytes(file, bytes);

        ToolRun run = ToolRun.Of("verify", Output, "--source", source);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains(Gate, run.Out + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Dequantize_SplitExperts_GivesTheirFloatsOneByOne()
    {
        ExpertModel family = ExpertModel.All["qwen3_vl_moe"];
        ToolRun.Succeed("quantize", family.WriteOneByOne(_folder["single"]), "--output", _folder["wanted"]);
        ToolRun.Succeed("quantize", family.WriteStacks(_folder["stacks"]), "--output", Output, "--experts", "split", "--loads-in", "vllm");

        ToolRun.Succeed("dequantize", _folder["wanted"], "--output", _folder["wanted-dense"]);
        ToolRun.Succeed("dequantize", Output, "--output", _folder["dense"]);

        AssertSameModel(_folder["wanted-dense"], _folder["dense"]);
    }

    [Fact]
    public void Diff_StacksBesideSingleExperts_ComparesEach()
    {
        ExpertModel family = ExpertModel.All["mixtral"];
        string single = family.WriteOneByOne(_folder["single"]), stacks = family.WriteStacks(_folder["stacks"]);
        ToolRun.Succeed("quantize", stacks, "--output", Output, "--experts", "split", "--loads-in", "vllm");

        Assert.Equal(ExitCode.Done, ToolRun.Of("diff", stacks, single).Exit);
        Assert.Equal(ExitCode.Done, ToolRun.Of("diff", single, stacks).Exit);
        ToolRun run = ToolRun.Of("diff", stacks, Output);
        Assert.Equal(ExitCode.Differs, run.Exit);
        Assert.Contains("0 only in A, 0 only in B", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_TransposedStacks_AreThoseOfTheirExperts()
    {
        ExpertModel family = ExpertModel.All["llama4"];

        Assert.Equal(ExitCode.Done, ToolRun.Of("diff", family.WriteStacks(_folder["stacks"]), family.WriteOneByOne(_folder["single"])).Exit);
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
