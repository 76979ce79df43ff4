using Bnb.TestKit;
using Bnb.Tool.Tests.Processes;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary>What stands in the README.md beside quantized weights.</summary>
public sealed class ModelCardTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Quantize_ModelOfTheCache_NamesItAsBase()
    {
        string made = HubCache.SmallModel(_temp, "m");
        File.WriteAllText(Path.Combine(made, "README.md"), "---\nlicense: mit\ntags: [chat, small]\nbase_model: acme/older\nlanguage:\n- en\n---\n\n# Tiny\n\nIts text.\n");
        new HubCache(_temp["hub"]).Add("acme/tiny", HubCache.Commit, "main", made);

        ToolRun run = ToolProcess.In(_temp.Path, [new("HF_HUB_CACHE", _temp["hub"])], "quantize", "acme/tiny", "--output", "out");

        Assert.True(run.Exit == 0, run.Error);
        string card = File.ReadAllText(_temp["out", "README.md"]);
        Assert.StartsWith(
            "---\nbase_model: acme/tiny\nbase_model_relation: quantized\ntags:\n- chat\n- small\n- bitsandbytes\n- nf4\n- 4-bit\nlicense: mit\nlanguage:\n- en\n---\n\n# Quantized to nf4\n",
            card,
            StringComparison.Ordinal);
        Assert.EndsWith("\n---\n\n# Tiny\n\nIts text.\n", card, StringComparison.Ordinal);
        Assert.Contains("| data type | nf4 of bitsandbytes, block size 64, double quantization |", card, StringComparison.Ordinal);
        Assert.DoesNotContain(_temp.Path, card, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("# Only text\n", "---\ntags:\n- compressed-tensors\n- int4\n---\n\n# Quantized to int4\n")]
    [InlineData("---\nbase_model:\n- acme/base\n---\nText\n", "---\nbase_model:\n- acme/base\nbase_model_relation: quantized\ntags:\n- compressed-tensors\n- int4\n---\n\n")]
    [InlineData("---\nnever closed\n", "---\ntags:\n- compressed-tensors\n- int4\n---\n\n")]
    public void Quantize_FolderWithACard_KeepsIt(string old, string start)
    {
        string source = HubCache.SmallModel(_temp, "m");
        File.WriteAllText(Path.Combine(source, "README.md"), old);

        ToolRun.Succeed("quantize", source, "--output", _temp["out"], "--type", "int4", "--group-size", "32");

        string card = File.ReadAllText(_temp["out", "README.md"]);
        Assert.StartsWith(start, card, StringComparison.Ordinal);
        Assert.EndsWith(old[(old.LastIndexOf("---\n", StringComparison.Ordinal) is var at and > 0 ? at + 4 : 0)..], card, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_CardThatIsNoText_IsCopied()
    {
        string source = HubCache.SmallModel(_temp, "m");
        byte[] bytes = [0x23, 0xff, 0xfe, 0x0a];
        File.WriteAllBytes(Path.Combine(source, "README.md"), bytes);

        ToolRun.Succeed("quantize", source, "--output", _temp["out"]);

        Assert.Equal(bytes, File.ReadAllBytes(_temp["out", "README.md"]));
    }

    [Fact]
    public void Quantize_FolderWithoutACard_WritesNone()
    {
        ToolRun.Succeed("quantize", HubCache.SmallModel(_temp, "m"), "--output", _temp["out"]);

        Assert.False(File.Exists(_temp["out", "README.md"]));
    }

    [Theory]
    [InlineData("""{"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096}""", 131072)]
    [InlineData("""{"num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 64, "hidden_size": 128}""", 2048)]
    [InlineData("""{"text_config": {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 256}}""", 2048)]
    [InlineData("""{"num_hidden_layers": 61, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "num_attention_heads": 128, "hidden_size": 7168}""", 70272)]
    [InlineData("""{"n_layer": 12, "n_head": 12, "n_embd": 768}""", 36864)]
    public void InspectFits_ByConfig_CountsTheCache(string config, long perToken)
    {
        CheckpointBuilder.SingleFile(_temp["m"], [TestTensor.Floats("a.weight", "F32", 64, 64)], config);

        var fit = JsonResult.Of(ToolRun.Succeed("inspect", _temp["m"], "--fits", "24GiB", "--context", "1000", "--json")).GetProperty("fit");

        Assert.Equal(perToken * 1000, fit.GetProperty("cache_bytes").GetInt64());
        Assert.True(fit.GetProperty("fits").GetBoolean());
        Assert.Equal(64 * 64 * 4, fit.GetProperty("weight_bytes").GetInt64());
    }

    [Fact]
    public void InspectFits_TooSmall_SaysByHowMuch()
    {
        CheckpointBuilder.SingleFile(_temp["m"], [TestTensor.Floats("a.weight", "F32", 64, 64)], "{}");

        string screen = ToolRun.Succeed("inspect", _temp["m"], "--fits", "10KB").Out;

        Assert.Contains("no, 7.38 kB too much", screen, StringComparison.Ordinal);
        Assert.Contains("unknown: config.json does not say layers and heads", screen, StringComparison.Ordinal);
    }
}
