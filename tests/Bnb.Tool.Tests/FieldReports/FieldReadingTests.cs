using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Diff;
using Bnb.Tool.Tests.Integers;
using Bnb.Tool.Tests.Verify;
using Xunit;
using Verified = Bnb.Tool.Tests.Verify.Verification;

namespace Bnb.Tool.Tests.FieldReports;

/// <summary>Quantized checkpoints of other tools as they are found: verify, dequantize, diff and inspect read them and agree.</summary>
public sealed class FieldReadingTests : IDisposable
{
    private const string Prefix = "model.layers.0.self_attn.";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void NestedBFloat16_SavedAfterAForwardOnACpu_IsDecodedAsTheLibraryDoes()
    {
        string packed = CheckpointFolder("cpu", "model.safetensors", File.ReadAllText(Golden.File("cpu_forward", "config.json")));
        string source = CheckpointFolder("source", "source.safetensors", "{\"model_type\": \"x\"}\n");
        string expected = CheckpointFolder("expected", "expected.safetensors", "{\"model_type\": \"x\"}\n");

        ToolRun.Succeed("dequantize", packed, "--output", _folder["dense"]);

        Assert.Equal(
            GoldenTensors.Load("cpu_forward", "expected.safetensors").Bytes("lin.weight"), OutputFolder.Tensors(_folder["dense"])["lin.weight"].Bytes);
        Verified.Passing(packed, source);
        AssertSameValues(packed, expected, "--include", "lin.weight");
        Assert.Contains("nf4 b64 double", ToolRun.Succeed("inspect", packed).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void NestedBFloat16_WithAnotherScale_FailsVerification()
    {
        string packed = CheckpointFolder("cpu", "model.safetensors", File.ReadAllText(Golden.File("cpu_forward", "config.json")));
        string source = CheckpointFolder("source", "source.safetensors", "{\"model_type\": \"x\"}\n");
        string bad = VerifyModel.Patched(packed, _folder["bad"], "lin.weight.absmax", codes => codes[5] ^= 0x40);

        Assert.Equal((0, 1), Verified.Failing(bad, source).Differing("lin.weight"));
    }

    [Theory]
    [InlineData(32, "[\"Linear\"]", "\"group_size\": 32, \"strategy\": \"group\"")]
    [InlineData(32, "[\"re:.*self_attn.*\", \"re:.*mlp.*\"]", "\"group_size\": 32, \"strategy\": \"group\"")]
    [InlineData(32, "[\"re:.*(q|k|v|o)_proj$\"]", "\"group_size\": 32, \"strategy\": \"group\"")]
    [InlineData(32, "[\"model.layers.0.self_attn.q_proj\", \"model.layers.0.self_attn.o_proj\"]", "\"group_size\": 32, \"strategy\": \"group\"")]
    [InlineData(256, "[\"Linear\"]", "\"group_size\": null, \"strategy\": \"channel\"")]
    [InlineData(256, "[\"Linear\"]", "\"group_size\": -1, \"strategy\": \"channel\"")]
    [InlineData(256, "[\"Linear\"]", "\"group_size\": 256, \"strategy\": \"group\"")]
    [InlineData(16, "[\"Linear\"]", "\"group_size\": 16, \"strategy\": \"group\"")]
    public void Int4OfOtherTools_IsReadByEveryCommand(int groupSize, string targets, string weights)
    {
        string source = Source(), packed = Packed(groupSize, Config(targets, weights));

        Verified.Passing(packed, source);
        ToolRun.Succeed("dequantize", packed, "--output", _folder["dense"]);
        AssertSameValues(packed, _folder["dense"]);
        Assert.Contains($"int4 g{groupSize}", ToolRun.Succeed("inspect", packed).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(32, "[\"re:.*mlp.*\"]", "\"group_size\": 32", "2 quantized weights are the target of no config group, first model.layers.0.self_attn.q_proj")]
    [InlineData(32, "[\"model.layers.0.self_attn.q_proj\"]", "\"group_size\": 32", "1 quantized weights are the target of no config group, first model.layers.0.self_attn.o_proj")]
    [InlineData(32, "[\"Linear\"]", "\"group_size\": -1", "no config group has group_size 32 and symmetric true")]
    public void Int4WhoseConfigMissesWeights_FailsVerification(int groupSize, string targets, string weights, string expected)
    {
        Verified done = Verified.Failing(Packed(groupSize, Config(targets, weights)), Source());

        Assert.Contains(done.Findings(), finding => finding is { Rule: "config", Fails: true } && finding.Text.StartsWith(expected, StringComparison.Ordinal));
    }

    [Fact]
    public void Int4WithCacheScales_NotesThemAndDropsThemWithTheirConfig()
    {
        TestTensor[] scales = [TestTensor.Floats(Prefix + "k_scale", "BF16", 1), TestTensor.Floats(Prefix + "v_scale", "BF16", 1)];
        string config = Config("[\"Linear\"]", "\"group_size\": 32", "\"kv_cache_scheme\": {\"num_bits\": 8, \"type\": \"float\"}");
        string packed = Packed(32, config, scales), source = Source();

        Verified done = Verified.Passing(packed, source);
        Assert.Equal(2, done.Findings().Count(finding => finding.Text.Contains("scale of a quantized cache", StringComparison.Ordinal)));
        ToolRun dense = ToolRun.Succeed("dequantize", packed, "--output", _folder["dense"]);
        Assert.Contains($"left out              2 scales of a quantized KV cache, which belong to the quantization_config, first {Prefix}k_scale\n", dense.Out, StringComparison.Ordinal);
        JsonElement line = JsonResult.Of(ToolRun.Succeed("dequantize", packed, "--output", _folder["dense"], "--overwrite", "--json"));
        Assert.Equal([Prefix + "k_scale", Prefix + "v_scale"], line.GetProperty("left_out").EnumerateArray().Select(name => name.GetString()));
        Assert.DoesNotContain(OutputFolder.Tensors(_folder["dense"]).Keys, name => name.EndsWith("_scale", StringComparison.Ordinal));
        Assert.Contains("left out: 2 scales of a quantized KV cache", ToolRun.Succeed("quantize", packed, "--output", _folder["again"], "--type", "nf4").Error.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Assert.DoesNotContain(OutputFolder.Tensors(_folder["again"]).Keys, name => name.EndsWith("_scale", StringComparison.Ordinal));
    }

    // Kimi-K2: the settings are in text_config, scales and shapes in another file than the codes, shapes as I32.
    [Fact]
    public void Int4WithSettingsInsideTextConfig_IsReadByEveryCommand()
    {
        List<TestTensor> parts = Parts(32);
        parts = [.. parts.Select(part => part.Name.EndsWith("weight_shape", StringComparison.Ordinal)
            ? part with { DType = "I32", Data = [.. part.Data[..4], .. part.Data[8..12]] }
            : part)];
        string inner = Config("[\"Linear\"]", "\"group_size\": 32");
        string config = $"{{\"architectures\": [\"KimiK25ForConditionalGeneration\"], \"model_type\": \"kimi_k25\", \"text_config\": {inner}}}\n";
        bool isCodes(TestTensor part) => part.Name.EndsWith("weight_packed", StringComparison.Ordinal);
        string packed = CheckpointBuilder.Sharded(_folder["packed"], [[.. parts.Where(isCodes)], [.. parts.Where(part => !isCodes(part))]], config);

        Verified.Passing(packed, Source());
        ToolRun.Succeed("dequantize", packed, "--output", _folder["dense"]);
        using JsonDocument dense = JsonDocument.Parse(File.ReadAllText(_folder["dense", "config.json"]));
        Assert.False(dense.RootElement.GetProperty("text_config").TryGetProperty("quantization_config", out _));
        AssertSameValues(packed, _folder["dense"]);
        Assert.Contains("int4 g32", ToolRun.Succeed("inspect", packed).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("quantize")]
    [InlineData("dequantize")]
    [InlineData("verify")]
    public void PlainWeightsWithALeftoverConfig_AreRefusedWithAWayForward(string command)
    {
        const string Dense = "{\"model_type\": \"llama\", \"quantization_config\": {\"config_groups\": {}, \"quant_method\": \"compressed-tensors\", \"format\": \"dense\"}}\n";
        string source = CheckpointBuilder.SingleFile(_folder["dense"], Weights(), Dense);

        ToolRun run = command == "verify" ? ToolRun.Of("verify", source, "--source", Source()) : ToolRun.Of(command, source, "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, command == "quantize" ? "CFG-QUANTIZED" : "NOT-QUANTIZED");
        Assert.Contains("take quantization_config out of config.json", string.Join(' ', run.Error.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    private static void AssertSameValues(string a, string b, params IEnumerable<string> options) => Assert.All(
        DiffOf.Paths(a, b, options).Differing, weight => Assert.Equal(0, weight.GetProperty("values").GetProperty("differing").GetInt32()));

    private static IEnumerable<TestTensor> Weights() =>
        [NormalWeights.Of(Prefix + "q_proj.weight", "BF16", 1, 64, 256), NormalWeights.Of(Prefix + "o_proj.weight", "BF16", 2, 64, 256)];

    private static List<TestTensor> Parts(int groupSize) =>
    [
        .. Weights().SelectMany(tensor => new WholeIntegerModel(groupSize).Expected(tensor))
            .Select(part => new TestTensor(part.Key, part.Value.DType.ToString(), part.Value.Shape, part.Value.Bytes)),
    ];

    private static string Config(string targets, string weights, string more = "\"kv_cache_scheme\": null") =>
        "{\"model_type\": \"llama\", \"quantization_config\": {\"config_groups\": {\"group_0\": {\"targets\": " + targets
        + ", \"weights\": {\"num_bits\": 4, \"type\": \"int\", \"symmetric\": true, " + weights + "}}}, \"format\": \"pack-quantized\", "
        + "\"ignore\": [\"lm_head\"], " + more + ", \"quant_method\": \"compressed-tensors\", \"quantization_status\": \"compressed\"}}";

    private string Source() => CheckpointBuilder.SingleFile(_folder["source"], Weights());

    private string Packed(int groupSize, string config, params IEnumerable<TestTensor> more) =>
        CheckpointBuilder.SingleFile(_folder["packed"], [.. Parts(groupSize), .. more], config + "\n");

    private string CheckpointFolder(string name, string golden, string config)
    {
        Directory.CreateDirectory(_folder[name]);
        File.Copy(Golden.File("cpu_forward", golden), _folder[name, "model.safetensors"]);
        File.WriteAllText(_folder[name, "config.json"], config);
        return _folder[name];
    }
}
