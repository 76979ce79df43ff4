using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.FieldReports;

/// <summary>Folders from the field that were refused, or taken, without reason: each stands for its kind.</summary>
public sealed class FieldCheckpointTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj.weight";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("model.embed_tokens.weight")]
    [InlineData("model.layers.0.self_attn.k_proj.weight")]
    [InlineData("lm_head.weight")]
    public void Quantize_WeightsThatZero3LeftEmpty_AreNamed(string empty)
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["zero3"], [TestTensor.Floats(Query, "BF16", 64, 64), new TestTensor(empty, "BF16", [0], [])]);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.InputMalformed, "TENSOR-EMPTY");
        Assert.Contains(empty, run.Error, StringComparison.Ordinal);
        Assert.Contains("gather", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Theory]
    [InlineData("model.layers.1.self_attn.o_proj.weight", true)]
    [InlineData("model.extra_buffer", false)]
    public void Quantize_OtherEmptyTensors_AreRefusedOnlyWhereALayerIsMissing(string name, bool isRefused)
    {
        string source = CheckpointBuilder.SingleFile(_folder["empty"], [TestTensor.Floats(Query, "BF16", 64, 64), new TestTensor(name, "BF16", [0], [])]);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"]);

        Assert.Equal(isRefused ? ExitCode.InputMalformed : ExitCode.Done, run.Exit);
        Assert.Contains(isRefused ? "TENSOR-EMPTY" : "1 tensors have no elements, first model.extra_buffer", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Quantize_AdapterFolder_IsRefused(bool hasConfig)
    {
        Directory.CreateDirectory(_folder["adapter"]);
        _folder.Write("adapter/adapter_model.safetensors", CheckpointBuilder.Safetensors([TestTensor.Floats("base_model.model.q_proj.lora_A.weight", "F32", 16, 64)]));
        _folder.Write("adapter/adapter_config.json", "{\"peft_type\": \"LORA\"}"u8);
        if (hasConfig) File.WriteAllText(_folder["adapter", "config.json"], CheckpointBuilder.LlamaConfig);

        ToolRun run = ToolRun.Of("quantize", _folder["adapter"], "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "ADAPTER");
        Assert.Contains("adapter_config.json", run.Error, StringComparison.Ordinal);
        Refusal.AssertIs(
            ToolRun.Of("quantize", _folder["adapter", "adapter_model.safetensors"], "--output", _folder["out"]), ExitCode.InputUnsupported, "ADAPTER");
    }

    [Theory]
    [InlineData(Query + "._data", Query + "._scale", "quanto")]
    [InlineData(Query + "._data._data", Query + "._scale", "quanto")]
    [InlineData("model.layers.0.self_attn.q_proj.W_q", "model.layers.0.self_attn.q_proj.meta.scale", "HQQ")]
    [InlineData(Query, "model.layers.0.self_attn.q_proj.scales", "MLX", "U32")]
    [InlineData(Query, Query + "_scale", "I8 codes with a weight_scale")]
    [InlineData(Query, Query + "_scale", "the scale of a quantized weight", "U8")]
    public void Quantize_OtherQuantizers_AreRefusedByName(string codes, string scale, string name, string dtype = "I8")
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["other"], [TestTensor.Numbered(codes, dtype, 64, 64), TestTensor.Floats(scale, "BF16", 64, 1)]);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"]);

        Assert.Equal(ExitCode.InputUnsupported, run.Exit);
        Assert.Contains(name, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_NothingToQuantize_WarnsAndWritesNoQuantizationConfig()
    {
        string source = CheckpointBuilder.SingleFile(_folder["norms"], [TestTensor.Floats("model.norm.weight", "BF16", 64)]);

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", _folder["out"]);

        Assert.Contains("no tensor", run.Error, StringComparison.Ordinal);
        Assert.Equal(CheckpointBuilder.LlamaConfig, File.ReadAllText(_folder["out", "config.json"]));
        Assert.Contains("no tensor", ToolRun.Succeed("quantize", source, "--dry-run").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_IndexThatOverridesAStaleCopy_UsesTheOneItNames()
    {
        TestTensor current = TestTensor.Floats(Query, "BF16", 64, 64), stale = current with { Data = new byte[64 * 64 * 2] };
        string source = CheckpointBuilder.Sharded(_folder["overlay"], [[current], [TestTensor.Floats("model.norm.weight", "BF16", 64), stale]]);
        File.WriteAllText(
            Path.Combine(source, "model.safetensors.index.json"),
            CheckpointBuilder.Index([(Query, CheckpointBuilder.ShardName(1, 2)), ("model.norm.weight", CheckpointBuilder.ShardName(2, 2))], 1));

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", _folder["out"]);

        Assert.Contains("more than one file", run.Error, StringComparison.Ordinal);
        ToolRun.Succeed("verify", _folder["out"], "--source", source);
    }

    [Theory]
    [InlineData("diffusion_pytorch_model")]
    [InlineData("model")]
    public void Quantize_VariantOnly_IsReadAndWrittenUnderThePlainName(string name)
    {
        const string Config = "{\"_class_name\": \"UNet2DConditionModel\"}\n";
        _folder.Write("variant/config.json", System.Text.Encoding.UTF8.GetBytes(name == "model" ? CheckpointBuilder.LlamaConfig : Config));
        _folder.Write($"variant/{name}.fp16.safetensors", CheckpointBuilder.Safetensors([TestTensor.Floats(Query, "F16", 64, 64)]));

        ToolRun.Succeed("quantize", _folder["variant"], "--output", _folder["out"]);

        Assert.True(File.Exists(_folder["out", name + ".safetensors"]), string.Join(' ', Directory.GetFiles(_folder["out"])));
    }

    [Fact]
    public void Quantize_VariantWithAnIndex_LeavesTheStaleIndexBehind()
    {
        const string Base = "diffusion_pytorch_model";
        _folder.Write("variant/config.json", "{\"_class_name\": \"UNet2DConditionModel\"}\n"u8);
        _folder.Write($"variant/{Base}.fp16-00001-of-00001.safetensors", CheckpointBuilder.Safetensors([TestTensor.Floats(Query, "F16", 64, 64)]));
        File.WriteAllText(_folder["variant", Base + ".safetensors.index.fp16.json"], CheckpointBuilder.Index([(Query, Base + ".fp16-00001-of-00001.safetensors")], 8192));

        ToolRun.Succeed("quantize", _folder["variant"], "--output", _folder["out"]);

        Assert.False(File.Exists(_folder["out", Base + ".safetensors.index.fp16.json"]));
        Assert.True(File.Exists(_folder["out", Base + ".safetensors"]), string.Join(' ', Directory.GetFiles(_folder["out"])));
    }

    [Fact]
    public void Dequantize_ConfigInsideAPart_RemovesIt()
    {
        string quantized = Quantized();
        string path = Path.Combine(quantized, "config.json");
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(path));
        string settings = config.RootElement.GetProperty("quantization_config").GetRawText();
        File.WriteAllText(path, $"{{\"model_type\": \"llava\", \"text_config\": {{\"model_type\": \"llama\", \"quantization_config\": {settings}, \"hidden_size\": 64}}}}\n");

        ToolRun.Succeed("dequantize", quantized, "--output", _folder["dense"]);

        Assert.Equal(
            "{\"model_type\": \"llava\", \"text_config\": {\"model_type\": \"llama\", \"hidden_size\": 64}}\n",
            File.ReadAllText(_folder["dense", "config.json"]));
    }

    [Fact]
    public void Verify_NullSkipListBesidePlainLinearLayers_FailsWithTheirNames()
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["source"], [TestTensor.Floats(Query, "BF16", 64, 64), TestTensor.Floats("model.mm_projector.0.weight", "BF16", 64, 64)]);
        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--exclude", "*mm_projector*");
        string path = _folder["out", "config.json"];
        string text = File.ReadAllText(path);
        int start = text.IndexOf("\"llm_int8_skip_modules\": [", StringComparison.Ordinal), end = text.IndexOf(']', start);
        File.WriteAllText(path, text[..start] + "\"llm_int8_skip_modules\": null" + text[(end + 1)..]);

        ToolRun run = ToolRun.Of("verify", _folder["out"], "--source", source);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains("mm_projector.0", run.Out + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_WhatSaversDropAndRename_IsNoted()
    {
        TestTensor query = TestTensor.Floats(Query, "BF16", 64, 64), norm = TestTensor.Floats("model.LayerNorm.gamma", "BF16", 64);
        string config = CheckpointBuilder.LlamaConfig.Replace("\"model_type\"", "\"tie_word_embeddings\": true,\n  \"model_type\"", StringComparison.Ordinal);
        CheckpointBuilder.SingleFile(_folder["saved"], [query, norm with { Name = "model.LayerNorm.weight" }], config);
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [
                query, norm, TestTensor.Floats("lm_head.weight", "BF16", 64, 64), TestTensor.Floats("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", 8),
                TestTensor.Numbered("model.position_ids", "I64", 1, 8),
            ],
            config);
        ToolRun.Succeed("quantize", _folder["saved"], "--output", _folder["out"]);

        ToolRun.Succeed("verify", _folder["out"], "--source", source);
    }

    [Theory]
    [InlineData("transformers5", "--type", "nf4", "keep")]
    [InlineData("transformers5", "--type", "int4", "pack")]
    public void Quantize_ForTransformers5_AdaptsExperts(string target, string option, string type, string expected)
    {
        string source = Mixtral();

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], option, type, "--loads-in", target);

        string names = System.Text.Encoding.UTF8.GetString(File.ReadAllBytes(_folder["out", "model.safetensors"]));
        Assert.Equal(expected == "pack", names.Contains(type == "int4" ? "experts.0.w1.weight_packed" : "experts.0.w1.weight.absmax", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("transformers5", "--experts", "pack")]
    [InlineData("diffusers", "--type", "nf4")]
    [InlineData("peft", "--type", "int4")]
    [InlineData("vllm", "--type", "int8")]
    public void Quantize_WhatALoaderCannotRead_IsRefused(string target, string option, string value)
    {
        ToolRun run = ToolRun.Of("quantize", Mixtral(), "--output", _folder["out"], option, value, "--loads-in", target);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "LOADS-IN");
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Fact]
    public void Explain_KnownModel_NamesLibrariesAndRules()
    {
        ToolRun run = ToolRun.Succeed("explain", Mixtral(), "*.w1.*");

        Assert.StartsWith("known to transformers 4, transformers 5, vLLM\n", run.Out, StringComparison.Ordinal);
        Assert.Contains("experts.0.w1.weight: quantize [linear, by atlas]", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("w2", run.Out, StringComparison.Ordinal);
    }

    private string Quantized()
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats(Query, "BF16", 64, 64)]);
        ToolRun.Succeed("quantize", source, "--output", _folder["out"]);
        return _folder["out"];
    }

    private string Mixtral()
    {
        IEnumerable<TestTensor> tensors = ((string[])["experts.0.w1", "experts.0.w2", "experts.0.w3", "experts.1.w1", "experts.1.w2", "experts.1.w3"])
            .Select(leaf => TestTensor.Floats($"model.layers.0.block_sparse_moe.{leaf}.weight", "BF16", 128, 128));
        return CheckpointBuilder.SingleFile(_folder["mixtral"], tensors, "{\"architectures\": [\"MixtralForCausalLM\"], \"model_type\": \"mixtral\"}\n");
    }
}
