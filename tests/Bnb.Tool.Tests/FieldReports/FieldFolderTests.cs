using System.Text.Json;
using Bnb.TestKit;
using Bnb.Tool.Tests.Policy;
using Xunit;

namespace Bnb.Tool.Tests.FieldReports;

/// <summary>Checkpoints from the field as whole folders: what the tool says becomes of each tensor, and the list that goes with it.</summary>
public sealed class FieldFolderTests : IDisposable
{
    private const string Layer = "model.layers.0.self_attn.q_proj model.layers.0.mlp.up_proj";
    private const string Gated = "model.language_model.layers.0.linear_attn.";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // A reward or classification head under any of its names is copied, in the list of every loader, and nothing else is.
    [Theory]
    [InlineData("llama", "LlamaForSequenceClassification", "score", Layer)]
    [InlineData("qwen2", "Qwen2ForProcessRewardModel", "score.0 score.2", Layer)]
    [InlineData("llama", "LlamaForCausalLM", "v_head.summary lm_head", Layer)]
    [InlineData("internlm2", "InternLM2ForRewardModel", "v_head", Layer)]
    [InlineData("llama", "LlamaForRewardModelWithGating", "regression_layer gating.layers.0 gating.layers.1", Layer)]
    [InlineData("llama", "LlamaForCausalLM", "reward_head value_head rm_head", Layer)]
    [InlineData("llama", "LlamaForTokenClassification", "classifier qa_outputs", Layer)]
    [InlineData("roberta", "RobertaForSequenceClassification", "classifier.out_proj", "roberta.encoder.layer.0.attention.self.query classifier.dense")]
    [InlineData("modernbert", "ModernBertForSequenceClassification", "classifier", "model.layers.0.attn.Wqkv model.layers.0.mlp.Wi head.dense")]
    public void Heads_AreCopiedAndListed(string type, string model, string copied, string packed) =>
        AssertChosen($"{{\"architectures\": [\"{model}\"], \"model_type\": \"{type}\"}}", copied, packed, listed: true);

    [Theory]
    [InlineData("bark", "semantic.input_embeds_layer semantic.position_embeds_layer fine_acoustics.input_embeds_layers.0", "semantic.layers.0.attn.att_proj")]
    [InlineData("minicpmo", "tts.emb_text tts.emb_code.0", Layer)]
    [InlineData("ovis", "vte", Layer)]
    [InlineData("csm", "embed_text_tokens backbone_model.embed_tokens.embed_audio_tokens", "depth_decoder.model.inputs_embeds_projector")]
    [InlineData("moshi", "text_emb emb.0 depformer_emb.0", "depformer_in.0")]
    [InlineData("detr", "model.query_position_embeddings model.denoising_class_embed", "bbox_predictor.layers.0")]
    [InlineData("dia", "decoder.embeddings.0.embed encoder.embedding decoder.logits_dense", Layer)]
    [InlineData("xtts", "gpt.mel_embedding gpt.mel_pos_embedding.emb gpt.text_head gpt.mel_head", Layer)]
    [InlineData("clip", "text_model.embeddings.token_embedding text_model.embeddings.position_embedding", "visual_projection")]
    [InlineData("cogvlm", "model.embed_tokens", "model.layers.0.self_attn.vision_expert_query_key_value")]
    public void LookupTables_AreCopied(string type, string copied, string packed) =>
        AssertChosen($"{{\"architectures\": [\"X\"], \"model_type\": \"{type}\"}}", copied, packed);

    [Theory]
    [InlineData("nf4", "WanTransformer3DModel", "condition_embedder.time_embedder.linear_1 condition_embedder.time_embedder.linear_2", "blocks.0.attn1.to_q blocks.0.ffn.net.0.proj condition_embedder.time_proj")]
    [InlineData("nf4", "Kandinsky5Transformer3DModel", "time_embeddings.in_layer out_layer.modulation.out_layer text_transformer_blocks.0.text_modulation.out_layer", "text_transformer_blocks.0.self_attention.to_query")]
    [InlineData("nf4", "DiTTransformer2DModel", "transformer_blocks.0.norm1.emb.class_embedder.embedding_table", "transformer_blocks.0.attn1.to_q transformer_blocks.0.ff.net.2")]
    [InlineData("int8", "HunyuanDiT2DModel", "time_extra_emb.pooler.q_proj time_extra_emb.pooler.k_proj time_extra_emb.pooler.v_proj time_extra_emb.pooler.c_proj", "blocks.0.attn1.to_q blocks.0.ff.net.2")]
    [InlineData("nf4", "AceStepLyricEncoder", "", "embed_tokens layers.0.mlp.up_proj layers.0.self_attn.to_q")]
    [InlineData("nf4", "Krea2Transformer2DModel", "", "text_fusion.layerwise_blocks.0.ff.gate text_fusion.layerwise_blocks.0.ff.up transformer_blocks.0.attn.to_q")]
    [InlineData("nf4", "FluxTransformer2DModel", "", "proj_out single_transformer_blocks.0.proj_out transformer_blocks.0.attn.to_q")]
    public void DiffusersClasses_AreFoundByTheirName(string dataType, string model, string copied, string packed) =>
        AssertChosen($"{{\"_class_name\": \"{model}\"}}", copied, packed, dataType: dataType);

    // The next-token heads of DeepSeek and Qwen: an output head and a table of their own stay, the projections are packed.
    [Theory]
    [InlineData("deepseek_v3", "DeepseekV3ForCausalLM", "model.layers.2.shared_head.head model.layers.2.embed_tokens model.layers.2.mlp.gate lm_head", "model.layers.2.self_attn.q_a_proj model.layers.2.self_attn.kv_a_proj_with_mqa model.layers.2.mlp.experts.0.gate_proj model.layers.2.mlp.shared_experts.up_proj")]
    [InlineData("qwen3_5", "Qwen3_5ForConditionalGeneration", "model.visual.blocks.0.attn.qkv model.visual.merger.linear_fc1 model.visual.deepstack_merger_list.0.linear_fc1 lm_head", Gated + "in_proj_qkv " + Gated + "in_proj_z " + Gated + "in_proj_b " + Gated + "out_proj model.language_model.layers.1.mlp.gate_proj mtp.layers.0.self_attn.q_proj")]
    public void PredictionHeadsAndTowers_Stay(string type, string model, string copied, string packed) =>
        AssertChosen($"{{\"architectures\": [\"{model}\"], \"model_type\": \"{type}\", \"vision_config\": {{}}, \"text_config\": {{}}}}", copied, packed);

    [Theory]
    [InlineData("qwen3_5", "Qwen3_5ForConditionalGeneration", Gated + "in_proj_z", Gated + "in_proj_qkv", "in_proj_qkvz")]
    [InlineData("qwen3_5", "Qwen3_5ForConditionalGeneration", Gated + "in_proj_a", Gated + "in_proj_b", "in_proj_ba")]
    [InlineData("deepseek_v3", "DeepseekV3ForCausalLM", "model.layers.0.self_attn.q_a_proj", "model.layers.0.self_attn.kv_a_proj_with_mqa", "fused_qkv_a_proj")]
    [InlineData("bert", "BertModel", "encoder.layer.0.attention.self.query", "encoder.layer.0.attention.self.key", "qkv_proj")]
    public void OneOfAFusedGroupExcluded_TakesTheOthersAlongWithALine(string type, string model, string excluded, string follower, string fused)
    {
        string source = Source($"{{\"architectures\": [\"{model}\"], \"model_type\": \"{type}\"}}", [excluded, follower, "encoder.layer.0.output.dense", "model.layers.0.mlp.up_proj", "model.language_model.layers.0.mlp.up_proj"]);

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--exclude", $"*.{excluded.Split('.')[^1]}.weight");

        Assert.Contains("vLLM fuses", string.Join(' ', (run.Out + run.Error).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(_folder["out", "config.json"]));
        Assert.Contains(
            config.RootElement.GetProperty("quantization_config").GetProperty("llm_int8_skip_modules").EnumerateArray(),
            entry => entry.GetString()!.Contains(fused, StringComparison.Ordinal));
        Assert.DoesNotContain(follower + ".weight.absmax", OutputFolder.Tensors(_folder["out"]).Keys);
        ToolRun.Succeed("verify", _folder["out"], "--source", source);
    }

    // Qwen's and BigCode's c_attn are linear layers, the others are stored [in, out]: every command has the same answer. Of a type
    // that nobody knows the quantized file does not tell any more; the manifest does.
    [Theory]
    [InlineData("qwen", "QWenLMHeadModel", false, "attn.c_attn:192 attn.c_proj mlp.w1:128 mlp.w2:128", "attn.c_attn:192")]
    [InlineData("gpt_bigcode", "GPTBigCodeForCausalLM", false, "attn.c_attn:192 attn.c_proj mlp.c_fc:256", "attn.c_attn:192 attn.c_proj mlp.c_fc:256")]
    [InlineData("jais", "JAISLMHeadModel", true, "attn.c_attn:192 attn.c_proj mlp.c_fc:256 mlp.c_fc2:256", "attn.c_attn:192 attn.c_proj mlp.c_fc:256 mlp.c_fc2:256")]
    [InlineData("my_gpt", "MyGPT", true, "attn.c_attn:192 attn.c_proj mlp.c_fc:256", "attn.c_attn:192 attn.c_proj mlp.c_fc:256")]
    public void Conv1DOrLinear_IsOneAnswerForAllCommands(string type, string model, bool isConv1D, string layers, string biases)
    {
        List<TestTensor> tensors = [];
        foreach ((string name, long rows) in Widths(layers))
            tensors.Add(isConv1D ? TestTensor.Floats($"transformer.h.0.{name}.weight", "BF16", 64, rows) : TestTensor.Floats($"transformer.h.0.{name}.weight", "BF16", rows, 64));
        foreach ((string name, long rows) in Widths(biases)) tensors.Add(TestTensor.Floats($"transformer.h.0.{name}.bias", "BF16", rows));
        string source = CheckpointBuilder.SingleFile(_folder["source"], tensors, $"{{\"architectures\": [\"{model}\"], \"model_type\": \"{type}\"}}\n");

        ToolRun.Succeed("quantize", source, "--output", _folder["out"]);
        ToolRun.Succeed("verify", _folder["out"], "--source", source);
        ToolRun run = ToolRun.Succeed("inspect", _folder["out"]);
        if (isConv1D) Assert.Contains("[192, 64]", run.Out, StringComparison.Ordinal);

        Assert.DoesNotContain("[in, out]", ToolRun.Succeed("dequantize", _folder["out"], "--output", _folder["dense"]).Error, StringComparison.Ordinal);
        var dense = OutputFolder.Tensors(_folder["dense"]);
        Assert.All(tensors, tensor => Assert.Equal(tensor.Shape, dense[tensor.Name].Info.Shape.Dimensions));
        Assert.DoesNotContain("transposed", ToolRun.Of("diff", _folder["dense"], source).Out, StringComparison.Ordinal);
        // Quantizing it again decodes it to the same tensors.
        ToolRun.Succeed("quantize", _folder["out"], "--output", _folder["again"], "--type", "none");
        dense = OutputFolder.Tensors(_folder["again"]);
        Assert.All(tensors, tensor => Assert.Equal(tensor.Shape, dense[tensor.Name].Info.Shape.Dimensions));
        if (type != "my_gpt") return;

        // Without the record only the dense side tells, and where there is none nobody does: that is said.
        File.Delete(_folder["out", "bnb-manifest.json"]);
        foreach (string[] sides in (string[][])[["out", "source"], ["source", "out"]])
            Assert.DoesNotContain("shape", ToolRun.Of("diff", _folder[sides[0]], _folder[sides[1]]).Out, StringComparison.Ordinal);
        ToolRun.Succeed("verify", _folder["out"], "--source", source);
        ToolRun doubtful = ToolRun.Succeed("dequantize", _folder["out"], "--output", _folder["linear"]);
        Assert.Contains("3 weights are written as linear layers, [out, in]: nothing here says", doubtful.Error.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Assert.Equal([192, 64], OutputFolder.Tensors(_folder["linear"])["transformer.h.0.attn.c_attn.weight"].Info.Shape.Dimensions);
        File.WriteAllText(_folder["out", "config.json"], File.ReadAllText(_folder["out", "config.json"]).Replace("my_gpt", "gpt2", StringComparison.Ordinal));
        ToolRun.Succeed("dequantize", _folder["out"], "--output", _folder["turned"]);
        dense = OutputFolder.Tensors(_folder["turned"]);
        Assert.All(tensors, tensor => Assert.Equal(tensor.Shape, dense[tensor.Name].Info.Shape.Dimensions));
    }

    // A class that does not generate has no towers to spare: a dual encoder and a vision model are quantized whole.
    [Theory]
    [InlineData("clip", "CLIPModel", "text_projection", "vision_model.encoder.layers.0.self_attn.q_proj vision_model.encoder.layers.0.mlp.fc1 text_model.encoder.layers.0.self_attn.q_proj visual_projection")]
    [InlineData("vit", "ViTModel", "", "encoder.layer.0.attention.attention.query encoder.layer.0.intermediate.dense encoder.layer.0.output.dense")]
    [InlineData("siglip", "SiglipModel", "", "vision_model.encoder.layers.0.self_attn.q_proj text_model.encoder.layers.0.mlp.fc2")]
    public void ModelsThatDoNotGenerate_AreQuantizedWhole(string type, string model, string copied, string packed) =>
        AssertChosen($"{{\"architectures\": [\"{model}\"], \"model_type\": \"{type}\", \"vision_config\": {{}}, \"text_config\": {{}}}}", copied, packed);

    private void AssertChosen(string config, string copied, string packed, bool listed = false, string dataType = "nf4")
    {
        string[] plain = copied.Split(' ', StringSplitOptions.RemoveEmptyEntries), quantized = packed.Split(' ');
        string source = Source(config, [.. plain, .. quantized]);

        using JsonDocument said = JsonDocument.Parse(ToolRun.Succeed("explain", source, "--type", dataType, "--json").Out.Split('\n')[0]);

        Dictionary<string, string> actions = said.RootElement.GetProperty("tensors").EnumerateArray()
            .ToDictionary(tensor => tensor.GetProperty("name").GetString()!, tensor => tensor.GetProperty("action").GetString()!);
        Assert.Equal(plain, plain.Where(name => actions[name + ".weight"] == "copy"));
        Assert.Equal(quantized, quantized.Where(name => actions[name + ".weight"] == "quantize"));
        if (!listed) return;
        string[] list = [.. said.RootElement.GetProperty("skip_modules").EnumerateArray().Select(entry => entry.GetString()!)];
        foreach ((string reader, var skips) in NaiveMatchers.All)
        {
            Assert.All(plain, name => Assert.True(skips(list, name), $"{reader} does not skip {name}"));
            Assert.All(quantized, name => Assert.False(skips(list, name), $"{reader} skips {name}"));
        }
    }

    private string Source(string config, IEnumerable<string> modules) =>
        CheckpointBuilder.SingleFile(_folder["source"], modules.Select(name => TestTensor.Floats(name + ".weight", "BF16", 64, 64)), config + "\n");

    private static IEnumerable<(string Name, long Rows)> Widths(string layers) => layers.Split(' ').Select(static layer => layer.Split(':') is [var name, var rows]
        ? (name, long.Parse(rows, System.Globalization.CultureInfo.InvariantCulture))
        : (layer, 64L));
}
