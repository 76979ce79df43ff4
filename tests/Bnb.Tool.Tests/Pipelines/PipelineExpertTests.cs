using System.Text;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Experts;
using Xunit;

namespace Bnb.Tool.Tests.Pipelines;

/// <summary><c>--experts split</c> in a pipeline whose text encoder has its experts as stacks, and the other commands on what it makes.</summary>
public sealed class PipelineExpertTests : IDisposable
{
    private const string Encoder = "text_encoder";
    private static readonly ExpertModel Family = ExpertModel.All["qwen3_moe"];

    private readonly TempFolder _folder = new();
    private readonly string _stacks;
    private readonly string _single;

    public PipelineExpertTests()
    {
        _stacks = Pipeline("stacks", folder => Family.WriteStacks(folder));
        _single = Pipeline("single", folder => Family.WriteOneByOne(folder));
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nf4", "transformers4")]
    [InlineData("nf4", "transformers4,diffusers")]
    [InlineData("int8", "transformers4,diffusers")]
    public void Quantize_StacksOfAComponent_GivesWhatSingleExpertsGive(string type, string targets)
    {
        string[] asked = ["--components", "text_encoder,transformer", "--type", type, "--loads-in", targets];
        ToolRun.Succeed(["quantize", _single, "--output", _folder["wanted"], .. asked]);

        ToolRun.Succeed(["quantize", _stacks, "--output", _folder["out"], "--experts", "split", .. asked]);

        foreach (string component in (string[])[Encoder, "transformer"]) AssertSame(_folder["wanted", component], _folder["out", component]);
        ToolRun.Succeed("verify", _folder["out"], "--source", _stacks);
        ToolRun.Succeed("verify", _folder["out"], "--source", _single);
        ToolRun.Succeed("verify", _folder["out"], "--manifest");
        List<JsonElement> lint = [.. JsonResult.Lines(ToolRun.Succeed("lint", _folder["out"], "--for", "transformers4", "--json")).Where(line => line.GetProperty("type").GetString() == "lint")];
        Assert.Contains(lint, line => line.GetProperty("component").GetString() == Encoder && line.GetProperty("passed").GetBoolean());
    }

    [Fact]
    public void Dequantize_SplitComponent_GivesTheFloatsOfSingleExperts()
    {
        string[] asked = ["--components", Encoder, "--loads-in", "transformers4"];
        ToolRun.Succeed(["quantize", _single, "--output", _folder["wanted"], .. asked]);
        ToolRun.Succeed(["quantize", _stacks, "--output", _folder["out"], "--experts", "split", .. asked]);

        ToolRun.Succeed("dequantize", _folder["wanted"], "--output", _folder["wanted-dense"]);
        ToolRun.Succeed("dequantize", _folder["out"], "--output", _folder["dense"]);

        AssertSame(_folder["wanted-dense", Encoder], _folder["dense", Encoder]);
        // The decoded experts against the stacks they were cut from: other values, the same weights.
        ToolRun run = ToolRun.Of("diff", _stacks, _folder["dense"], "--json");
        Assert.Equal(ExitCode.Differs, run.Exit);
        JsonElement line = JsonResult.Of(run);
        Assert.All(line.GetProperty("differing").EnumerateArray(), one => Assert.Equal("changed", one.GetProperty("status").GetString()));
    }

    [Fact]
    public void Diff_PipelinesWithStacksAndSingleExperts_AreEqual()
    {
        ToolRun run = ToolRun.Succeed("diff", _stacks, _single, "--json");

        JsonElement line = JsonResult.Of(run);
        Assert.Equal(line.GetProperty("tensors").GetInt32(), line.GetProperty("tensors_equal").GetInt32());
        ToolRun.Succeed("diff", _single, _stacks, "--include", "text_encoder/*.experts.1.up_proj");
    }

    [Theory]
    [InlineData("*.experts.1.*")]
    [InlineData("text_encoder/*.experts.1.*")]
    [InlineData("text_encoder/model.layers.0.mlp.experts.1.down_proj")]
    public void Exclude_OneExpertOfAStack_IsFoundByItsOwnName(string pattern)
    {
        string[] asked = ["--components", "text_encoder,transformer", "--experts", "split", "--loads-in", "transformers4"];

        ToolRun run = ToolRun.Succeed(["quantize", _stacks, "--output", _folder["out"], "--exclude", pattern, "--json", .. asked]);

        JsonElement encoder = JsonResult.Lines(run).Single(line => line.GetProperty("type").GetString() == "quantized" && line.GetProperty("component").GetString() == Encoder);
        Assert.Contains(
            encoder.GetProperty("tensors").EnumerateArray(),
            tensor => tensor.GetProperty("name").GetString()!.Contains(".experts.1.", StringComparison.Ordinal) && tensor.GetProperty("rule").GetString() == "user-exclude");
        ToolRun.Succeed("verify", _folder["out"], "--source", _stacks);
        ToolRun.Succeed("lint", _folder["out"], "--for", "transformers4");
    }

    [Fact]
    public void Explain_SplitInAPipeline_TellsOfEachExpert()
    {
        ToolRun run = ToolRun.Succeed("explain", _stacks, "text_encoder/*.experts.2.*", "--experts", "split", "--loads-in", "transformers4");

        Assert.Contains("model.layers.1.mlp.experts.2.gate_proj.weight: quantize", run.Out, StringComparison.Ordinal);
        Assert.Equal(1 + (2 * 3), run.Out.TrimEnd('\n').Split('\n').Count(line => !line.StartsWith(' ')));
    }

    [Fact]
    public void Plan_SplitInAPipeline_NamesBlocksOfExperts()
    {
        string[] asked = ["--components", Encoder, "--experts", "split", "--loads-in", "transformers4"];
        JsonElement plan = JsonResult.Of(ToolRun.Succeed(["plan", _stacks, "--target-bits", "9", "--output", _folder["recipe.json"], "--json", .. asked]));

        ToolRun.Succeed("quantize", _stacks, "--output", _folder["out"], "--config", _folder["recipe.json"]);
        Assert.Equal(plan.GetProperty("bytes").GetInt64(), Directory.GetDirectories(_folder["out"]).Sum(OutputFolder.WeightFileBytes));
        Assert.All(plan.GetProperty("overrides").EnumerateArray(), rule => Assert.StartsWith("text_encoder/", rule.GetString(), StringComparison.Ordinal));
    }

    [Fact]
    public void Split_ForALoaderThatDoesNotReadThem_IsRefusedWithTheNextStep()
    {
        ToolRun run = ToolRun.Of("quantize", _stacks, "--output", _folder["out"], "--components", Encoder, "--experts", "split", "--loads-in", "transformers5");

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "LOADS-IN");
        Assert.Contains("it loads the stacks as they are", run.Error.ReplaceLineEndings(" ").Replace("  ", " ", StringComparison.Ordinal), StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
        Refusal.AssertIs(
            ToolRun.Of("quantize", _stacks, "--output", _folder["out"], "--components", Encoder, "--experts", "split"), ExitCode.Usage, "USAGE");
    }

    private string Pipeline(string name, Func<string, string> writeEncoder)
    {
        writeEncoder(_folder[name, Encoder]);
        Text($"{name}/model_index.json", """
            {"_class_name": "QwenImagePipeline", "text_encoder": ["transformers", "Qwen3MoeForCausalLM"], "transformer": ["diffusers", "QwenImageTransformer2DModel"], "vae": ["diffusers", "AutoencoderKLQwenImage"]}
            """);
        Text($"{name}/transformer/config.json", "{\"_class_name\": \"QwenImageTransformer2DModel\"}\n");
        _folder.Write($"{name}/transformer/diffusion_pytorch_model.safetensors", CheckpointBuilder.Safetensors(
            TestTensor.Floats("transformer_blocks.0.attn.to_q.weight", "BF16", 128, 128), TestTensor.Floats("img_in.weight", "BF16", 128, 64)));
        Text($"{name}/vae/config.json", "{\"_class_name\": \"AutoencoderKLQwenImage\"}\n");
        _folder.Write($"{name}/vae/diffusion_pytorch_model.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats("decoder.conv_in.weight", "BF16", 8, 8, 3, 3, 3)));
        return _folder[name];
    }

    private static void AssertSame(string wanted, string found)
    {
        var expected = OutputFolder.Tensors(wanted);
        var tensors = OutputFolder.Tensors(found);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), tensors.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, var (_, bytes)) in expected) Assert.True(bytes.AsSpan().SequenceEqual(tensors[name].Bytes), name);
        Assert.Equal(File.ReadAllText(Path.Combine(wanted, "config.json")), File.ReadAllText(Path.Combine(found, "config.json")));
    }

    private void Text(string path, string text) => _folder.Write(path, Encoding.UTF8.GetBytes(text));
}
