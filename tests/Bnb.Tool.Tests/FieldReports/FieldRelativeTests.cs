using System.Text;
using Bnb.Engine.Errors;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Formats.Primitives;
using Bnb.TestKit;
using Bnb.Tool.Tests.Policy;
using Xunit;

namespace Bnb.Tool.Tests.FieldReports;

/// <summary>Relatives of the checkpoints from the field: the same faults under other names, in other families and other libraries' forms.</summary>
public sealed class FieldRelativeTests : IDisposable
{
    private const string Block = "model.layers.0.self_attn.q_proj";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("reward_model_head")]
    [InlineData("regression_head")]
    [InlineData("rank_head.0")]
    [InlineData("scorer")]
    [InlineData("model.score_head")]
    [InlineData("token_classifier")]
    [InlineData("classifiers.0")]
    [InlineData("start_logits")]
    [InlineData("logits_proj")]
    [InlineData("regressor")]
    [InlineData("gating_network.2")]
    [InlineData("medusa_head.0.0.linear")]
    [InlineData("heads.helpfulness")]
    [InlineData("head.dense")]
    [InlineData("output_projection")]
    public void Decide_HeadsByOtherNames_AreCopiedAndListed(string head)
    {
        foreach (string type in (string[])["llama", "nobody"])
        {
            PolicyResult result = Decide(type, Block + ".weight", "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.down_proj.weight", head + ".weight");

            Assert.Equal((TensorAction.Quantize, TensorAction.Copy), (result.Decisions[0].Action, result.Decisions[^1].Action));
            Assert.All(NaiveMatchers.All, matcher => Assert.True(matcher.Value(result.SkipModules, head), matcher.Key));
        }
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.value_head_mix")]
    [InlineData("reward_model.model.layers.0.mlp.up_proj")]
    [InlineData("model.layers.0.attention.self.value")]
    public void Decide_WordsOfHeadsInsideLayers_AreLinearLayers(string layer) =>
        Assert.Equal(TensorAction.Quantize, Decide("nobody", layer + ".weight").Decisions[0].Action);

    [Theory]
    [InlineData("model.embedder")]
    [InlineData("token_embedder")]
    [InlineData("token_embd")]
    [InlineData("wtes.3")]
    [InlineData("transformer.wte.0")]
    [InlineData("embed.0")]
    [InlineData("embed_audio.0")]
    [InlineData("audio_embs.0")]
    [InlineData("embed_tokens_list.2")]
    [InlineData("embedding_layers.1")]
    [InlineData("lookup_table.0")]
    [InlineData("speaker_table")]
    [InlineData("lut")]
    [InlineData("char_embeddings.word")]
    [InlineData("class_emb_table")]
    [InlineData("text_embeds")]
    public void Decide_TablesByOtherNames_AreCopiedAndListed(string table)
    {
        PolicyResult result = Decide("nobody", Block + ".weight", table + ".weight");

        Assert.Equal((TensorAction.Quantize, TensorAction.Copy), (result.Decisions[0].Action, result.Decisions[1].Action));
        Assert.All(NaiveMatchers.All, matcher => Assert.True(matcher.Value(result.SkipModules, table), matcher.Key));
    }

    [Theory]
    [InlineData("embed_proj")]
    [InlineData("embeddings.projection")]
    [InlineData("token_embed_linear")]
    [InlineData("audio_embed_mlp.fc1")]
    public void Decide_ProjectionsOfEmbeddings_AreLinearLayers(string layer) =>
        Assert.Equal(TensorAction.Quantize, Decide("nobody", layer + ".weight").Decisions[0].Action);

    [Theory]
    [InlineData("unet.down_blocks.0.attn1.processor.to_q_lora.down")]
    [InlineData("lora_unet_down_blocks_0_attn1_to_q.lora_up")]
    [InlineData("model.layers.0.self_attn.q_proj.lora_A.default")]
    [InlineData("model.layers.0.attn.w_lora.lora.0")]
    public void Decide_FactorsOfAdaptersByOtherNames_AreCopiedAndListed(string factor)
    {
        PolicyResult result = Decide("nobody", "model.layers.0.self_attn.k_proj.weight", factor + ".weight");

        Assert.Equal((TensorAction.Quantize, RuleIds.Adapter), (result.Decisions[0].Action, result.Decisions[1].Rule));
        Assert.All(NaiveMatchers.All, matcher => Assert.True(matcher.Value(result.SkipModules, factor), matcher.Key));
    }

    [Theory]
    [InlineData("transformer.wte.weight", "gpt2", "GPT2LMHeadModel")]
    [InlineData("emb.0.weight", "nobody", "X")]
    [InlineData("token_embd.weight", "nobody", "X")]
    [InlineData("rank_head.weight", "nobody", "X")]
    [InlineData("attn.in_proj_weight", "nobody", "X")]
    [InlineData("model.layers.0.mlp.experts.gate_up_proj", "qwen3_moe", "Qwen3MoeForCausalLM")]
    [InlineData("model.layers.0.mlp.experts.0.gate_proj.weight", "qwen3_moe", "Qwen3MoeForCausalLM")]
    public void Quantize_WeightsThatZero3LeftEmpty_AreNamedWhateverTheLayer(string empty, string type, string model)
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["zero3"], [TestTensor.Floats(Block + ".weight", "BF16", 64, 64), new TestTensor(empty, "BF16", [0], [])],
            $"{{\"architectures\": [\"{model}\"], \"model_type\": \"{type}\"}}\n");

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.InputMalformed, "TENSOR-EMPTY");
        Assert.Contains(empty, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pytorch_lora_weights.safetensors", null, "transformer.transformer_blocks.0.attn.to_q.lora_A.weight")]
    [InlineData("pytorch_lora_weights.safetensors", null, "unet.down_blocks.0.attn1.processor.to_q_lora.down.weight")]
    [InlineData("model.safetensors", CheckpointBuilder.LlamaConfig, "lora_unet_down_blocks_0_attn1_to_q.lora_down.weight")]
    [InlineData("adapter_model.safetensors", CheckpointBuilder.LlamaConfig, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")]
    [InlineData("adapter_model.safetensors", null, "base_model.model.model.layers.0.self_attn.k_proj.ia3_l")]
    [InlineData("model.safetensors", null, "lycoris_q_proj.hada_w1_a")]
    public void Quantize_FactorsOfAnAdapterAlone_AreRefusedWhateverLiesBeside(string file, string? config, string factor)
    {
        _folder.Write($"adapter/{file}", CheckpointBuilder.Safetensors([TestTensor.Floats(factor, "F32", 16, 64), TestTensor.Floats("lora_q.alpha", "F32", 1)]));
        if (config is not null) _folder.Write("adapter/config.json", Encoding.UTF8.GetBytes(config));

        foreach (string path in (string[])[_folder["adapter"], _folder["adapter", file]])
        {
            ToolRun run = ToolRun.Of("quantize", path, "--output", _folder["out"]);

            Refusal.AssertIs(run, ExitCode.InputUnsupported, "ADAPTER");
            Assert.Contains("--merge-lora", run.Error, StringComparison.Ordinal);
        }

        Refusal.AssertNothingWritten(_folder["out"]);
    }

    /// <summary>transformers would load the base model that the file names, and not the weights beside it.</summary>
    [Fact]
    public void Quantize_WholeModelBesideAnAdaptersConfig_LeavesThatBehind()
    {
        string source = CheckpointBuilder.SingleFile(_folder["merged"], [TestTensor.Floats(Block + ".weight", "BF16", 64, 64)]);
        File.WriteAllText(Path.Combine(source, "adapter_config.json"), "{\"peft_type\": \"LORA\", \"base_model_name_or_path\": \"a/b\"}");

        ToolRun.Succeed("quantize", source, "--output", _folder["out"]);

        Assert.False(File.Exists(_folder["out", "adapter_config.json"]));
    }

    [Theory]
    [InlineData("EETQ", "weight I8 64 64", "weight_scales BF16 64")]
    [InlineData("EXL2", "q_weight I32 8 64", "q_scale I32 1 8", "q_groups I16 4")]
    [InlineData("EXL3", "trellis I16 4 64", "suh F16 64", "svh F16 64")]
    [InlineData("AQLM", "codes I8 8 8", "codebooks F16 256 8", "scales F16 8 1")]
    [InlineData("QuIP#", "Qidxs I16 8 8", "SU F16 64")]
    [InlineData("VPTQ", "centroids.weight F16 256 8", "indices I32 8 8", "weight_scale F16 64")]
    [InlineData("HIGGS", "weight U8 64 8", "scales F16 1 64", "tables2 F16 256 2")]
    [InlineData("SpQR", "dense_weights I64 8", "row_offsets I32 64")]
    [InlineData("Marlin", "B I32 4 128", "s F16 1 64")]
    [InlineData("SqueezeLLM", "qweight I32 8 64", "lookup_table F16 64 16")]
    [InlineData("torchao", "weight_qdata I8 64 64", "weight_scale BF16 64 1")]
    [InlineData("torchao", "weight:_data I8 64 64", "weight:_scale BF16 64 1")]
    [InlineData("quanto", "weight._data U8 64 32", "weight._scale BF16 64 1", "weight._shift BF16 64 1")]
    [InlineData("HQQ", "W_q U8 32 64", "scale BF16 64 1", "zero BF16 64 1")]
    [InlineData("a weight stored as I8", "weight I8 64 64", "factor BF16 64")]
    public void EveryCommand_WeightsOfOtherQuantizers_AreNamed(string library, params string[] parts)
    {
        IEnumerable<TestTensor> tensors = parts.Select(part => part.Split(' ')).Select(part =>
        {
            long[] shape = [.. part[2..].Select(long.Parse)];
            return part[1].StartsWith('I') || part[1].StartsWith('U') ? TestTensor.Numbered($"{Block}.{part[0]}", part[1], shape) : TestTensor.Floats($"{Block}.{part[0]}", part[1], shape);
        });
        string source = CheckpointBuilder.SingleFile(
            _folder["other"], [.. tensors, TestTensor.Floats("model.layers.0.mlp.down_proj.weight", "BF16", 64, 64), TestTensor.Floats("model.norm.weight", "BF16", 64)]);

        foreach (string[] command in (string[][])[["quantize", source, "--output", _folder["out"]], ["dequantize", source, "--output", _folder["out"]]])
        {
            ToolRun run = ToolRun.Of(command);

            bool isLonelyInt8 = library.StartsWith("a weight", StringComparison.Ordinal);
            Assert.Equal(isLonelyInt8 ? ExitCode.InputMalformed : ExitCode.InputUnsupported, run.Exit);
            if (!isLonelyInt8) Assert.Contains(library + " weights", run.Error, StringComparison.Ordinal);
            Refusal.AssertNothingWritten(_folder["out"]);
        }
    }

    [Theory]
    [InlineData("[]", "lm_head.weight")]
    [InlineData("[\"lm_head\"]", "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight")]
    [InlineData("[\"lm_head\"]", "multi_modal_projector.linear_1.weight")]
    public void Verify_ListThatNoLoaderFindsAPlainLinearLayerIn_FailsWithItsName(string list, string plain)
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["source"],
            [TestTensor.Floats($"language_model.{Block}.weight", "BF16", 64, 64), TestTensor.Floats(plain, "BF16", 64, 64)],
            "{\"architectures\": [\"LlavaForConditionalGeneration\"], \"model_type\": \"llava\"}\n");
        ToolRun.Succeed("quantize", source, "--output", _folder["out"]);
        ToolRun.Succeed("verify", _folder["out"], "--source", source);
        string path = _folder["out", "config.json"], text = File.ReadAllText(path);
        int start = text.IndexOf("\"llm_int8_skip_modules\": [", StringComparison.Ordinal), end = text.IndexOf(']', start);
        File.WriteAllText(path, text[..start] + "\"llm_int8_skip_modules\": " + list + text[(end + 1)..]);

        ToolRun run = ToolRun.Of("verify", _folder["out"], "--source", source);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains(ModuleName.WithoutWeight(plain), run.Out + run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BertForMaskedLM", "bert", "bert.encoder.layer.0.attention.self.query", "cls.predictions.decoder.weight|cls.predictions.decoder.bias", "bert.embeddings.word_embeddings.weight")]
    [InlineData("T5ForConditionalGeneration", "t5", "encoder.block.0.layer.0.SelfAttention.q", "encoder.embed_tokens.weight|decoder.embed_tokens.weight|lm_head.weight", "shared.weight")]
    [InlineData("GPT2LMHeadModel", "gpt2", "transformer.h.0.attn.c_attn", "lm_head.weight|transformer.h.0.attn.bias|transformer.h.0.attn.masked_bias", "transformer.wte.weight")]
    [InlineData("BartForConditionalGeneration", "bart", "model.encoder.layers.0.self_attn.q_proj", "model.encoder.embed_tokens.weight|model.decoder.embed_tokens.weight", "model.shared.weight")]
    public void Verify_WhatAClassTiesOrMakesItself_MayBeAbsent(string model, string type, string layer, string dropped, string table)
    {
        string config = $"{{\"architectures\": [\"{model}\"], \"model_type\": \"{type}\"}}\n";
        TestTensor[] saved = [TestTensor.Floats(layer + ".weight", "BF16", 64, 64), TestTensor.Floats(table, "BF16", 64, 64)];
        CheckpointBuilder.SingleFile(_folder["saved"], saved, config);
        ToolRun.Succeed("quantize", _folder["saved"], "--output", _folder["out"]);
        CheckpointBuilder.SingleFile(
            _folder["source"],
            [.. saved, .. dropped.Split('|').Select(name => name.EndsWith(".bias", StringComparison.Ordinal) && !name.EndsWith("attn.bias", StringComparison.Ordinal)
                ? TestTensor.Floats(name, "BF16", 64)
                : name.EndsWith("attn.bias", StringComparison.Ordinal) ? TestTensor.Floats(name, "F32", 1, 1, 8, 8) : saved[1] with { Name = name })],
            config);

        ToolRun run = ToolRun.Succeed("verify", _folder["out"], "--source", _folder["source"]);

        foreach (string name in dropped.Split('|')) Assert.Contains(name + " of the source is missing: ", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"architectures\": [\"GPT2LMHeadModel\"], \"model_type\": \"gpt2\", \"tie_word_embeddings\": false}", "lm_head.weight")]
    [InlineData("{\"architectures\": [\"GPT2LMHeadModel\"], \"model_type\": \"gpt2\"}", "transformer.wpe.weight")]
    public void Verify_WhatIsNotTied_MayNotBeAbsent(string config, string missing)
    {
        TestTensor[] saved = [TestTensor.Floats("transformer.h.0.attn.c_attn.weight", "BF16", 64, 64), TestTensor.Floats("transformer.wte.weight", "BF16", 64, 64)];
        CheckpointBuilder.SingleFile(_folder["saved"], saved, config);
        ToolRun.Succeed("quantize", _folder["saved"], "--output", _folder["out"]);
        CheckpointBuilder.SingleFile(_folder["source"], [.. saved, saved[1] with { Name = missing }], config);

        ToolRun run = ToolRun.Of("verify", _folder["out"], "--source", _folder["source"]);

        Assert.Equal(ExitCode.VerificationFailed, run.Exit);
        Assert.Contains(missing + " of the source is missing", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_WeightInTwoFactorsOfOldNames_IsCompared()
    {
        TestTensor query = TestTensor.Floats("encoder.layers.0.attention.q_proj.weight", "BF16", 64, 64), size = TestTensor.Floats("g", "BF16", 1, 1, 8), way = TestTensor.Floats("v", "BF16", 8, 4, 8);
        const string Config = "{\"architectures\": [\"Wav2Vec2Model\"], \"model_type\": \"wav2vec2\"}", Conv = "encoder.pos_conv_embed.conv.";
        CheckpointBuilder.SingleFile(
            _folder["saved"], [query, size with { Name = Conv + "parametrizations.weight.original0" }, way with { Name = Conv + "parametrizations.weight.original1" }], Config);
        ToolRun.Succeed("quantize", _folder["saved"], "--output", _folder["out"]);
        string old = CheckpointBuilder.SingleFile(_folder["old"], [query, size with { Name = Conv + "weight_g" }, way with { Name = Conv + "weight_v" }], Config);

        ToolRun.Succeed("verify", _folder["out"], "--source", old);
    }

    [Theory]
    [InlineData("kv_scale")]
    [InlineData("prob_scale")]
    [InlineData("k_proj.output_scale")]
    [InlineData("attn.v_scale")]
    public void Int4_CacheScalesByOtherNames_AreNotesAndGoWithTheirConfig(string scale)
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats(Block + ".weight", "BF16", 64, 64)]);
        ToolRun.Succeed("quantize", source, "--output", _folder["plain"], "--type", "int4", "--group-size", "32");
        string config = File.ReadAllText(_folder["plain", "config.json"]).Replace("\"kv_cache_scheme\": null", "\"kv_cache_scheme\": {\"num_bits\": 8, \"type\": \"float\"}", StringComparison.Ordinal);
        Assert.Contains("\"num_bits\": 8", config, StringComparison.Ordinal);
        string packed = CheckpointBuilder.SingleFile(
            _folder["packed"],
            [
                .. OutputFolder.Tensors(_folder["plain"]).Select(tensor => new TestTensor(tensor.Key, tensor.Value.Info.DType.Name(), [.. tensor.Value.Info.Shape.Dimensions], tensor.Value.Bytes)),
                TestTensor.Floats("model.layers.0.self_attn." + scale, "F32", 1),
            ],
            config);

        Assert.Contains("scale of a quantized cache", ToolRun.Succeed("verify", packed, "--source", source).Out, StringComparison.Ordinal);
        ToolRun.Succeed("dequantize", packed, "--output", _folder["dense"]);
        Assert.Equal([Block + ".weight"], OutputFolder.Tensors(_folder["dense"]).Keys);
    }

    private static PolicyResult Decide(string type, params string[] names) => QuantizationPolicy.Decide(
        [.. names.Select(name => ModelSketch.Make(name, 64, 64))], ModelSketch.Facts(type, "ForkOfIt"), ModelSketch.Options());
}
