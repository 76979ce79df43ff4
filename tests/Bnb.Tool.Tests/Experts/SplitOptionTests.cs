using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Experts;

/// <summary>Who may ask for <c>--experts split</c>, what it says, and what other commands make of it.</summary>
public sealed class SplitOptionTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Output => _folder["out"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("quantize")]
    [InlineData("explain")]
    [InlineData("plan")]
    public void Split_WithoutALoader_IsAUsageError(string command)
    {
        string[] options = command switch { "quantize" => ["--output", Output], "plan" => ["--target-bits", "8"], _ => [] };

        ToolRun run = ToolRun.Of([command, Stacks("qwen3_moe"), "--experts", "split", .. options]);

        Refusal.AssertIs(run, ExitCode.Usage, "USAGE");
        Assert.Contains("--loads-in vllm", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    [Theory]
    [InlineData("qwen3_moe", "transformers5", "nf4", "it cannot do with packed ones", "-t int4")]
    [InlineData("qwen3_moe", "diffusers", "nf4", "diffusers has no experts", "leave out")]
    [InlineData("qwen3_moe", "peft", "nf4", "depends on its version", "add transformers4 or transformers5")]
    [InlineData("qwen3_moe", "vllm", "fp4", "packed experts as nf4 and int4 only", "-t nf4")]
    [InlineData("qwen3_5_moe", "transformers4", "nf4", "transformers 4 does not read", "leave out --experts split")]
    [InlineData("llama4", "transformers4", "nf4", "transformers 4 does not read", "leave out --experts split")]
    [InlineData("llama4", "vllm,transformers5", "int4", "transformers 5 does not read", "leave out --experts split")]
    [InlineData("qwen3_vl_moe", "sglang", "int4", "not known to read", "leave out --experts split")]
    public void Split_ForALoaderThatDoesNotReadThemSo_IsRefusedWithAWayForward(string model, string target, string type, string reason, string action)
    {
        ToolRun run = ToolRun.Of("quantize", Stacks(model), "--output", Output, "--experts", "split", "--loads-in", target, "--type", type);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "LOADS-IN");
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
        Assert.Contains(action, run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    [Theory]
    [InlineData(new long[] { 3, 128, 128 }, null, "there is no down_proj beside it")]
    [InlineData(new long[] { 3, 128, 128 }, new long[] { 3, 128, 32 }, "neither [experts, out, in] nor [experts, in, out]")]
    [InlineData(new long[] { 3, 128, 128 }, new long[] { 2, 128, 64 }, "neither")]
    [InlineData(new long[] { 2_000_000, 2, 1 }, new long[] { 2_000_000, 1, 1 }, "more than a model has")]
    public void Split_ShapesThatDoNotFit_AreRefused(long[] gateUp, long[]? down, string reason)
    {
        const string Experts = "model.layers.0.mlp.experts.";
        List<TestTensor> tensors = [TestTensor.Floats("model.layers.0.self_attn.q_proj.weight", "BF16", 64, 64), Zeros(Experts + "gate_up_proj", gateUp)];
        if (down is not null) tensors.Add(Zeros(Experts + "down_proj", down));
        string source = CheckpointBuilder.SingleFile(_folder["source"], tensors, "{\"architectures\": [\"Qwen3MoeForCausalLM\"], \"model_type\": \"qwen3_moe\"}\n");

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--experts", "split", "--loads-in", "vllm");

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "EXPERTS");
        Assert.Contains(reason, run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Split_OtherTensorOfThreeDimensions_StaysAsItIs()
    {
        TestTensor other = TestTensor.Floats("model.layers.0.mlp.mixing", "BF16", 2, 4, 8);
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [.. ExpertModel.All["qwen3_moe"].Stacks("model.layers.0."), other, TestTensor.Floats("model.layers.0.self_attn.q_proj.weight", "BF16", 64, 64)],
            "{\"architectures\": [\"Qwen3MoeForCausalLM\"], \"model_type\": \"qwen3_moe\"}\n");

        ToolRun.Succeed("quantize", source, "--output", Output, "--experts", "split", "--loads-in", "transformers4");

        var tensors = OutputFolder.Tensors(Output);
        Assert.Equal(other.Data, tensors[other.Name].Bytes);
        Assert.Contains("model.layers.0.mlp.experts.0.up_proj.weight.absmax", tensors.Keys);
    }

    [Fact]
    public void Split_SourceThatHasAnExpertTwice_IsRefused()
    {
        ExpertModel family = ExpertModel.All["qwen3_moe"];
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [.. family.Stacks("model.layers.0."), TestTensor.Floats("model.layers.0.mlp.experts.1.up_proj.weight", "BF16", 64, 128), TestTensor.Floats("model.layers.0.self_attn.q_proj.weight", "BF16", 64, 64)],
            "{\"architectures\": [\"Qwen3MoeForCausalLM\"], \"model_type\": \"qwen3_moe\"}\n");

        ToolRun run = ToolRun.Of("quantize", source, "--output", Output, "--experts", "split", "--loads-in", "vllm");

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "EXPERTS");
        Assert.Contains("experts.1.up_proj.weight", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "{\"architectures\": [\"Qwen3MoeForCausalLM\"], \"model_type\": \"qwen3_moe\"}")]
    [InlineData("", "{\"architectures\": [\"Qwen3MoeModel\"], \"model_type\": \"qwen3_moe\"}")]
    [InlineData("language_model.model.", "{\"architectures\": [\"UnheardOf\"], \"model_type\": \"unheard_of\", \"text_config\": {\"model_type\": \"qwen3_moe\"}}")]
    public void Split_ModelWithoutItsHeadOrInsideAnother_IsFound(string prefix, string config)
    {
        var tensors = OutputFolder.Tensors(Stacks("qwen3_moe"));
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            tensors.Select(tensor => new TestTensor(tensor.Key.Replace("model.", prefix, StringComparison.Ordinal), "BF16", [.. tensor.Value.Info.Shape.Dimensions], tensor.Value.Bytes)),
            config);

        ToolRun.Succeed("quantize", source, "--output", Output, "--experts", "split", "--loads-in", "transformers4");

        Assert.Contains($"{prefix}layers.1.mlp.experts.2.gate_proj.weight.absmax", OutputFolder.Tensors(Output).Keys);
        ToolRun.Succeed("verify", Output, "--source", source);
    }

    [Fact]
    public void Split_SourceWithoutStacks_IsPackedWithAWord()
    {
        string source = ExpertModel.All["mixtral"].WriteOneByOne(_folder["single"]);
        ToolRun.Succeed("quantize", source, "--output", _folder["wanted"], "--loads-in", "vllm");

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", Output, "--experts", "split", "--loads-in", "vllm");

        Assert.Contains("nothing is split", run.Error, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(_folder["wanted", "model.safetensors"]), File.ReadAllBytes(_folder["out", "model.safetensors"]));
    }

    [Fact]
    public void Recipe_WithSplitExperts_IsReadAsItIsPrinted()
    {
        string source = Stacks("qwen3_moe");
        string[] asked = ["--experts", "split", "--loads-in", "vllm"];
        ToolRun.Succeed(["quantize", source, "--output", _folder["typed"], .. asked]);
        string recipe = ToolRun.Succeed(["quantize", source, "--print-config", .. asked]).Out;
        _folder.Write("recipe.json", System.Text.Encoding.UTF8.GetBytes(recipe));

        ToolRun.Succeed("quantize", source, "--output", Output, "--config", _folder["recipe.json"]);

        Assert.Contains("\"experts\": \"split\"", recipe, StringComparison.Ordinal);
        Assert.Equal(OutputFolder.Fingerprint(_folder["typed"]), OutputFolder.Fingerprint(Output));
    }

    [Fact]
    public void Plan_WithSplitExperts_WritesARecipeThatSplits()
    {
        string source = Stacks("llama4");
        string[] asked = ["--experts", "split", "--loads-in", "vllm"];

        ToolRun run = ToolRun.Succeed(["plan", source, "--target-bits", "8", "--output", _folder["recipe.json"], .. asked]);
        ToolRun.Succeed("quantize", source, "--output", Output, "--config", _folder["recipe.json"]);

        Assert.Contains("% quantized", run.Out, StringComparison.Ordinal);
        Assert.Contains(OutputFolder.Tensors(Output).Keys, name => name.EndsWith("experts.2.down_proj.weight.absmax", StringComparison.Ordinal));
        ToolRun.Succeed("verify", Output, "--source", source);
    }

    [Theory]
    [InlineData("split", "experts.1.up_proj.weight: quantize [linear, by atlas] an expert's linear layer of Qwen3MoeForCausalLM")]
    [InlineData("pack", "experts.gate_up_proj: copy [moe-fused-3d")]
    public void Explain_ByChoice_NamesStacksOrExperts(string experts, string line)
    {
        ToolRun run = ToolRun.Succeed("explain", Stacks("qwen3_moe"), "--experts", experts, "--loads-in", "vllm");

        Assert.Contains(line, run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void DryRun_OfSplitExperts_SaysThemAndTheirShare()
    {
        string source = Stacks("qwen3_vl_moe");
        string[] asked = ["quantize", source, "--experts", "split", "--loads-in", "vllm"];
        ToolRun.Succeed([.. asked, "--output", Output]);

        JsonElement plan = JsonResult.Of(ToolRun.Succeed([.. asked, "--dry-run", "--json"]));

        JsonElement expert = Assert.Single(
            plan.GetProperty("tensors").EnumerateArray(),
            tensor => tensor.GetProperty("name").GetString() == "model.language_model.layers.1.mlp.experts.2.down_proj.weight");
        Assert.Equal(("quantized", 128 * 64 * 2), (expert.GetProperty("action").GetString(), expert.GetProperty("bytes_before").GetInt32()));
        Assert.Equal(OutputFolder.Tensors(source).Values.Sum(tensor => tensor.Info.Shape.ElementCount), plan.GetProperty("parameters").GetInt64());
        Assert.Equal(OutputFolder.WeightFileBytes(Output), plan.GetProperty("bytes_after").GetInt64());
        Assert.DoesNotContain("judged by their names", ToolRun.Succeed([.. asked, "--dry-run"]).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pack", 14)]
    [InlineData("split", 0)]
    public void MinCoverage_OfAModelThatIsMostlyExperts_IsReachedBySplitting(string experts, int expected)
    {
        ToolRun run = ToolRun.Of("quantize", Stacks("qwen3_moe"), "--output", Output, "--min-coverage", "90%", "--experts", experts, "--loads-in", "vllm", "--type", "int4", "--group-size", "32");

        Assert.Equal(expected, (int)run.Exit);
        if (expected == 0) return;
        Assert.Contains("use --experts split", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
        Refusal.AssertIs(
            ToolRun.Of("quantize", Stacks("qwen3_moe"), "--dry-run", "--min-coverage", "90%"), ExitCode.VerificationFailed, "COVERAGE");
    }

    [Fact]
    public void MergeLora_OfSingleExperts_FitsTheStacks()
    {
        ExpertModel family = ExpertModel.All["qwen3_moe"];
        string single = family.WriteOneByOne(_folder["single"]), stacks = family.WriteStacks(_folder["stacks"]);
        const string Up = "base_model.model.model.layers.0.mlp.experts.1.up_proj.lora_";
        _folder.Write("adapter/adapter_config.json", "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8, \"target_modules\": [\"up_proj\"]}"u8);
        _folder.Write(
            "adapter/adapter_model.safetensors",
            CheckpointBuilder.Safetensors([TestTensor.Floats(Up + "A.weight", "F32", 4, 128), TestTensor.Floats(Up + "B.weight", "F32", 64, 4)]));
        string[] asked = ["--merge-lora", _folder["adapter"], "--loads-in", "vllm"];
        ToolRun.Succeed(["quantize", single, "--output", _folder["wanted"], .. asked]);

        ToolRun.Succeed(["quantize", stacks, "--output", Output, "--experts", "split", .. asked]);

        var wanted = OutputFolder.Tensors(_folder["wanted"]);
        Assert.All(OutputFolder.Tensors(Output), tensor => Assert.True(wanted[tensor.Key].Bytes.AsSpan().SequenceEqual(tensor.Value.Bytes), tensor.Key));
    }

    [Fact]
    public void Lint_SplitExpertsOfAClassThatHasStacks_DoesNotLoadInTransformers()
    {
        ToolRun.Succeed("quantize", Stacks("llama4"), "--output", Output, "--experts", "split", "--loads-in", "vllm");

        ToolRun run = ToolRun.Of("lint", Output, "--for", "transformers5");

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains("LOAD111", run.Out, StringComparison.Ordinal);
        ToolRun.Succeed("lint", Output, "--for", "vllm");
    }

    private string Stacks(string model) =>
        Directory.Exists(_folder[model]) ? _folder[model] : ExpertModel.All[model].WriteStacks(_folder[model]);

    private static TestTensor Zeros(string name, long[] shape) => new(name, "BF16", shape, new byte[2 * shape.Aggregate(1L, (product, size) => product * size)]);
}
