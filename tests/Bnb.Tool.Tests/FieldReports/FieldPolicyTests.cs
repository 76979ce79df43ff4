using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Tool.Tests.Policy;
using Xunit;

namespace Bnb.Tool.Tests.FieldReports;

/// <summary>Checkpoints from the field whose decisions were wrong once: each stands for its kind.</summary>
public sealed class FieldPolicyTests
{
    [Theory]
    [InlineData("score.0")]
    [InlineData("score.2")]
    [InlineData("v_head.summary")]
    [InlineData("v_head")]
    [InlineData("value_head")]
    [InlineData("reward_head")]
    [InlineData("rm_head")]
    [InlineData("regression_layer")]
    [InlineData("gating.layers.0")]
    [InlineData("cls.seq_relationship")]
    public void Decide_HeadsOfRewardModels_AreCopiedAndListed(string head)
    {
        PolicyResult result = Decide(
            Facts("llama", "LlamaForRewardModelWithGating"), [.. Layer("model.layers.0."), head + ".weight"]);

        Assert.Equal(TensorAction.Copy, result.Decisions[^1].Action);
        Assert.All(NaiveMatchers.All, matcher => Assert.True(matcher.Value(result.SkipModules, head), matcher.Key));
        Assert.Equal(TensorAction.Quantize, result.Decisions[0].Action);
    }

    [Theory]
    [InlineData("semantic.input_embeds_layer")]
    [InlineData("semantic.position_embeds_layer")]
    [InlineData("fine_acoustics.input_embeds_layers.0")]
    [InlineData("tts.emb_text")]
    [InlineData("tts.emb_code.0")]
    [InlineData("vte")]
    [InlineData("embed_text_tokens")]
    [InlineData("backbone_model.embed_tokens.embed_audio_tokens")]
    [InlineData("text_emb")]
    [InlineData("emb.0")]
    [InlineData("depformer_emb.0")]
    [InlineData("model.query_position_embeddings")]
    [InlineData("model.denoising_class_embed")]
    [InlineData("decoder.embeddings.0.embed")]
    [InlineData("encoder.embedding")]
    [InlineData("gpt.mel_embedding")]
    [InlineData("gpt.mel_pos_embedding.emb")]
    public void Decide_LookupTablesOfUnknownClasses_AreCopied(string table)
    {
        PolicyResult result = Decide(Facts("unheard_of", "X"), ["model.layers.0.self_attn.q_proj.weight", table + ".weight"]);

        Assert.Equal((TensorAction.Quantize, TensorAction.Copy), (result.Decisions[0].Action, result.Decisions[1].Action));
    }

    [Fact]
    public void Decide_FactorsOfAdapters_AreNeverQuantized()
    {
        PolicyResult result = Decide(
            Facts("llama", "LlamaForCausalLM"),
            ["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"]);

        Assert.All(result.Decisions, static decision => Assert.Equal(RuleIds.Adapter, decision.Rule));
    }

    [Theory]
    [InlineData("Krea2Transformer2DModel", "transformer_blocks.0.ff.gate", "transformer_blocks.0.ff.up")]
    [InlineData("FluxTransformer2DModel", "single_transformer_blocks.0.proj_out", "proj_out")]
    [InlineData("AceStepLyricEncoder", "embed_tokens", "layers.0.mlp.up_proj")]
    public void Decide_LayersThatNamesMistook_AreQuantized(string model, string first, string second)
    {
        PolicyResult result = Decide(Diffusers(model), [first + ".weight", second + ".weight"]);

        Assert.All(result.Decisions, static decision => Assert.Equal(TensorAction.Quantize, decision.Action));
    }

    [Theory]
    [InlineData("DiTTransformer2DModel", "transformer_blocks.0.norm1.emb.class_embedder.embedding_table", "transformer_blocks.0.attn1.to_q")]
    [InlineData("HunyuanDiT2DModel", "time_extra_emb.pooler.k_proj", "blocks.0.attn1.to_q")]
    [InlineData("WanTransformer3DModel", "condition_embedder.time_embedder.linear_1", "blocks.0.attn1.to_q")]
    [InlineData("Kandinsky5Transformer3DModel", "time_embeddings.in_layer", "visual_transformer_blocks.0.self_attention.to_query")]
    public void Decide_LayersThatDiffusersKeeps_AreCopied(string model, string kept, string packed)
    {
        foreach (PolicyTarget target in (PolicyTarget[])[PolicyTarget.Bnb4, PolicyTarget.Bnb8])
        {
            PolicyResult result = Decide(Diffusers(model), [kept + ".weight", packed + ".weight"], target);

            Assert.Equal((TensorAction.Copy, TensorAction.Quantize), (result.Decisions[0].Action, result.Decisions[1].Action));
        }
    }

    [Theory]
    [InlineData("Qwen3_5ForConditionalGeneration", "qwen3_5", "model.language_model.layers.0.linear_attn.", "in_proj_qkv", "in_proj_z", "in_proj_qkvz")]
    [InlineData("Qwen3_5ForConditionalGeneration", "qwen3_5", "model.language_model.layers.0.linear_attn.", "in_proj_b", "in_proj_a", "in_proj_ba")]
    [InlineData("DeepseekV3ForCausalLM", "deepseek_v3", "model.layers.0.self_attn.", "q_a_proj", "kv_a_proj_with_mqa", "fused_qkv_a_proj")]
    [InlineData("BertModel", "bert", "encoder.layer.0.attention.self.", "query", "key", "qkv_proj")]
    public void Decide_OneOfAFusedGroupExcluded_TakesTheOthersAlong(
        string model, string type, string block, string excluded, string follower, string fused)
    {
        string[] names = [block + excluded + ".weight", block + follower + ".weight"];
        PolicyResult result = Decide(Facts(type, model), names, PolicyTarget.Bnb4, (false, "*." + excluded));

        Assert.Equal((RuleIds.UserExclude, RuleIds.FusedGroup), (result.Decisions[0].Rule, result.Decisions[1].Rule));
        Assert.Contains(result.Notes, static note => note.Contains("vLLM fuses", StringComparison.Ordinal));
        string module = Atlas.Embedded.Vllm(model)!.Rename(block + fused)!;
        Assert.True(NaiveMatchers.All["vllm"](result.SkipModules, module), string.Join(' ', result.SkipModules));
    }

    [Theory]
    [InlineData("jais", "JAISLMHeadModel", true)]
    [InlineData("my_gpt", "MyGPT", true)]
    [InlineData("gpt_bigcode", "GPTBigCodeForCausalLM", false)]
    public void Decide_Conv1DOrLinear_IsToldByClassOrBias(string type, string model, bool isConv1D)
    {
        (long first, long second) = isConv1D ? (64L, 256L) : (256L, 64L);
        PolicyTensor[] tensors =
        [
            ModelSketch.Make("transformer.h.0.mlp.c_fc.weight", first, second), ModelSketch.Make("transformer.h.0.mlp.c_fc.bias", 256),
            ModelSketch.Make("transformer.h.0.attn.c_proj.weight", 64, 64), ModelSketch.Make("transformer.h.0.mlp.c_fc2.weight", first, second),
        ];
        PolicyResult result = QuantizationPolicy.Decide(tensors, Facts(type, model), ModelSketch.Options());

        Assert.Equal((isConv1D, isConv1D), (result.Decisions[0].Transpose, result.Decisions[2].Transpose));
        if (isConv1D) Assert.True(result.Decisions[3].Transpose);
    }

    [Fact]
    public void Decide_MixtralOfOddWidthAsInt4_NeedsAFewEntries()
    {
        IEnumerable<PolicyTensor> experts =
            from layer in Enumerable.Range(0, 2)
            from expert in Enumerable.Range(0, 4)
            from leaf in (string[])["w1", "w2", "w3"]
            select ModelSketch.Make($"model.layers.{layer}.block_sparse_moe.experts.{expert}.{leaf}.weight", 64, 100);
        PolicyResult result = QuantizationPolicy.Decide(
            [.. experts], Facts("mixtral", "MixtralForCausalLM"), ModelSketch.Options() with { Target = PolicyTarget.CompressedTensors });

        Assert.InRange(result.SkipModules.Count, 1, 8);
    }

    private static ModelFacts Facts(string type, string model) => ModelSketch.Facts(type, model);

    private static ModelFacts Diffusers(string model) =>
        new(null, [model], false, false, null, []) { Identity = new ModelIdentity(null, model, [], []) };

    private static string[] Layer(string prefix) =>
        [.. ((string[])["q_proj", "k_proj", "v_proj", "o_proj"]).Select(leaf => $"{prefix}self_attn.{leaf}.weight")];

    private static PolicyResult Decide(
        ModelFacts facts, string[] names, PolicyTarget target = PolicyTarget.Bnb4, params (bool Include, string Glob)[] patterns) =>
        QuantizationPolicy.Decide(
            [.. names.Select(static name => ModelSketch.Make(name, 64, 64))], facts, ModelSketch.Options(patterns) with { Target = target });
}
