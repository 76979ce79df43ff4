using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Verify;
using Xunit;

namespace Bnb.Tool.Tests.Recipes;

/// <summary>int4 with groups of several sizes in one checkpoint, as compressed-tensors and vLLM read it.</summary>
public sealed class MixedGroupTests : IDisposable
{
    private const string Layer = "model.layers.0.";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("64", "*.down_proj=int4/32", "*.{gate,up}_proj=/128")]
    [InlineData("128", "*_proj=int4/32")]
    [InlineData("32", "*.self_attn.{q,k,v}_proj=int4/64", "*.o_proj=/128")]
    public void Quantize_SizesByOverride_AreReadByEveryLoaderAsTheTensorsHaveThem(string size, params string[] overrides)
    {
        string source = Source();

        string output = VerifyModel.Quantize(source, _folder["out"], ["--type", "int4", "--group-size", size, .. Words(overrides)]);

        JsonElement settings = JsonElement.Parse(File.ReadAllText(Path.Combine(output, "config.json"))).GetProperty("quantization_config");
        var loaders = new LoaderTargets(settings);
        Dictionary<string, int> sizes = Sizes(output);
        Assert.True(sizes.Values.Distinct().Count() > (overrides[0] == "*_proj=int4/32" ? 0 : 1));
        Assert.All(sizes, pair => Assert.Equal(pair.Value, loaders.CompressedTensors(pair.Key)));
        Assert.Equal(sizes[Layer + "self_attn.q_proj"], loaders.Vllm(Layer + "self_attn.qkv_proj", "QKVParallelLinear", "qkv_proj", "q_proj", "k_proj", "v_proj"));
        Assert.Equal(sizes[Layer + "mlp.up_proj"], loaders.Vllm(Layer + "mlp.gate_up_proj", "MergedColumnParallelLinear", "gate_up_proj", "gate_proj", "up_proj"));
        Assert.Equal(sizes[Layer + "mlp.down_proj"], loaders.Vllm(Layer + "mlp.down_proj", "RowParallelLinear", ""));
        Assert.Equal(sizes[Layer + "self_attn.o_proj"], loaders.Vllm(Layer + "self_attn.o_proj", "RowParallelLinear", ""));
        OutputContract.AssertHolds(output);
        Verify.Verification.Passing(output, source);
        ToolRun.Succeed("lint", output, "--for", "vllm");
    }

    [Theory]
    [InlineData("--scale", "search")]
    [InlineData("--scale", "search", "--scale-dtype", "float16")]
    [InlineData("--symmetric", "false")]
    public void Quantize_SizesByOverride_VerifyInEveryVariant(params string[] options)
    {
        string source = Source();

        string output = VerifyModel.Quantize(source, _folder["out"], ["--type", "int4", "--group-size", "64", "--override", "*.down_proj=/32", .. options]);

        Verify.Verification.Passing(output, source);
    }

    [Fact]
    public void Quantize_OneSizeOnly_WritesTheConfigOfAlways()
    {
        string source = Source();

        string output = VerifyModel.Quantize(source, _folder["out"], "--type", "int4", "--group-size", "64", "--override", "*.down_proj=int4/64");

        JsonElement groups = JsonElement.Parse(File.ReadAllText(Path.Combine(output, "config.json"))).GetProperty("quantization_config").GetProperty("config_groups");
        Assert.Equal("Linear", Assert.Single(Assert.Single(groups.EnumerateObject()).Value.GetProperty("targets").EnumerateArray()).GetString());
    }

    [Theory]
    [InlineData("*.q_proj=int4/32", "vLLM loads", "write a pattern that fits both")]
    [InlineData("*.up_proj=int4/32", "vLLM loads", "write a pattern that fits both")]
    [InlineData("*.down_proj=int4/128", "groups of 128 do not divide the 192 inputs", "keep")]
    public void Quantize_SizesThatNoLoaderReads_AreRefusedWithAWayOut(string rule, string why, string action)
    {
        ToolRun run = ToolRun.Of("quantize", Source(), "--output", _folder["out"], "--type", "int4", "--group-size", "64", "--override", rule);

        Refusal.AssertIs(run, ExitCode.Usage, "OVERRIDE");
        Assert.Contains(why, run.Error.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Assert.Contains(action, run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Fact]
    public void Quantize_AnotherSizeForExperts_IsRefused()
    {
        List<TestTensor> tensors = [];
        foreach (string part in (string[])["gate_proj", "up_proj", "down_proj"])
            for (int expert = 0; expert < 2; expert++) tensors.Add(NormalWeights.Of($"{Layer}mlp.experts.{expert}.{part}.weight", "BF16", tensors.Count, 64, 64));
        string source = CheckpointBuilder.SingleFile(_folder["source"], tensors, """{"model_type": "qwen3_moe", "torch_dtype": "bfloat16"}""");

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"], "--type", "int4", "--group-size", "64", "--override", "*.down_proj=int4/32");

        Refusal.AssertIs(run, ExitCode.Usage, "OVERRIDE");
        Assert.Contains("experts have the group size of the run", run.Error, StringComparison.Ordinal);
    }

    /// <summary>A config of somebody else, whose class stands before the names.</summary>
    [Fact]
    public void Verify_ClassBeforeNames_TakesTheNamesFirst()
    {
        string source = Source();
        string output = VerifyModel.Quantize(source, _folder["out"], "--type", "int4", "--group-size", "64", "--override", "*.down_proj=int4/32");
        string config = Path.Combine(output, "config.json"), text = File.ReadAllText(config);

        // The keys decide nothing, so exchanging them exchanges the order of the groups that readers see.
        JsonElement groups = JsonElement.Parse(text).GetProperty("quantization_config").GetProperty("config_groups");
        string turned = $$"""{"group_0": {{groups.GetProperty("group_1").GetRawText()}}, "group_1": {{groups.GetProperty("group_0").GetRawText()}}}""";
        File.WriteAllText(config, text.Replace(groups.GetRawText(), turned, StringComparison.Ordinal));

        Assert.DoesNotContain(Verify.Verification.Passing(output, source).Findings(), finding => finding.Rule == "config");
    }

    private string Source()
    {
        List<TestTensor> tensors = [NormalWeights.Of("model.embed_tokens.weight", "BF16", 1, 16, 128)];
        foreach (string part in (string[])["q_proj", "k_proj", "v_proj", "o_proj"])
            tensors.Add(NormalWeights.Of($"{Layer}self_attn.{part}.weight", "BF16", tensors.Count, 128, 128));
        tensors.Add(NormalWeights.Of(Layer + "mlp.gate_proj.weight", "BF16", 11, 192, 128));
        tensors.Add(NormalWeights.Of(Layer + "mlp.up_proj.weight", "BF16", 12, 192, 128));
        tensors.Add(NormalWeights.Of(Layer + "mlp.down_proj.weight", "BF16", 13, 128, 192));
        tensors.Add(NormalWeights.Of("lm_head.weight", "BF16", 14, 16, 128));
        return CheckpointBuilder.SingleFile(_folder["source"], tensors);
    }

    private static List<string> Words(IEnumerable<string> overrides) => [.. overrides.SelectMany(rule => (string[])["--override", rule])];

    /// <summary>Of each packed module, by the shapes of its tensors.</summary>
    private static Dictionary<string, int> Sizes(string folder)
    {
        var tensors = OutputFolder.Tensors(folder);
        return tensors.Keys.Where(name => name.EndsWith(".weight_packed", StringComparison.Ordinal)).Select(name => name[..^".weight_packed".Length]).ToDictionary(
            module => module,
            module => (int)(tensors[module + ".weight_packed"].Info.Shape.Dimensions[1] * 8 / tensors[module + ".weight_scale"].Info.Shape.Dimensions[1]));
    }
}
