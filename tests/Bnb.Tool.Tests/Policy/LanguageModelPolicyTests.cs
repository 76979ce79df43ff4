using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class LanguageModelPolicyTests
{
    private static readonly string[] Generic = ["classifier", "lm_head", "qa_outputs", "score"];

    [Theory]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("mistral", false)]
    [InlineData("qwen2", true)]
    [InlineData("gemma2", true)]
    [InlineData("gemma3_text", true)]
    [InlineData("a_type_from_next_year", false)]
    public void Decide_GatedDecoder_QuantizesEveryProjection(string modelType, bool tied)
    {
        ModelSketch sketch = Decoder();
        if (!tied) sketch.Kept(RuleIds.Head, "lm_head", 512, 64);

        PolicyResult result = sketch.Check(ModelSketch.Facts(modelType, tied: tied));

        Assert.Equal(Generic, result.SkipModules);
        Assert.Empty(result.FusedExperts);
        Assert.Empty(result.Notes);
    }

    [Fact]
    public void Decide_Qwen3WithHeadNorms_KeepsTheNorms()
    {
        PolicyResult result = Decoder()
            .Tensor(RuleIds.Norm, "model.layers.{0-2}.self_attn.{q_norm|k_norm}.weight", 128)
            .Check(ModelSketch.Facts("qwen3"));

        Assert.Equal(Generic, result.SkipModules);
    }

    [Fact]
    public void Decide_CohereWithMatrixNorms_KeepsThem() =>
        Decoder().Kept(RuleIds.Norm, "model.layers.{0-2}.self_attn.{q_norm|k_norm}").Check(ModelSketch.Facts("cohere"));

    [Fact]
    public void Decide_Phi3_QuantizesTheFusedProjections() =>
        new ModelSketch()
            .Kept(RuleIds.Embedding, "model.embed_tokens")
            .Linear("model.layers.{0-1}.self_attn.{qkv_proj|o_proj}")
            .Linear("model.layers.{0-1}.mlp.{gate_up_proj|down_proj}")
            .Kept(RuleIds.Head, "lm_head")
            .Check(ModelSketch.Facts("phi3"));

    [Theory]
    [InlineData("h")]
    [InlineData("transformer.h")]
    public void Decide_Gpt2_TransposesConv1D(string layers)
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.Embedding, layers == "h" ? "{wte|wpe}" : "transformer.{wte|wpe}")
            .Tensor(RuleIds.NotWeight, layers + ".{0-1}.attn.masked", 1, 1, 8, 8)
            .Tensor(RuleIds.Linear, layers + ".{0-1}.attn.c_attn.weight", 100, 300)
            .Tensor(RuleIds.Bias, layers + ".{0-1}.attn.c_attn.bias", 300)
            .Tensor(RuleIds.Linear, layers + ".{0-1}.{attn|mlp}.c_proj.weight", 128, 100)
            .Tensor(RuleIds.Norm, layers + ".{0-1}.ln_1.weight", 100)
            .Check(ModelSketch.Facts("gpt2", tied: true));

        Assert.Contains("lm_head", result.SkipModules);
        List<TensorDecision> quantized = [.. result.Decisions.Where(static decision => decision.Action == TensorAction.Quantize)];
        Assert.All(quantized, static decision => Assert.True(decision.Transpose));
        // [in, out]: the input width is the first dimension.
        Assert.All(quantized, static decision => Assert.Equal(decision.Tensor.Shape[0] == 100, decision.Unaligned));
    }

    [Fact]
    public void Decide_ImageCaptionerWithGpt2Decoder_TransposesOnlyTheDecoder()
    {
        ModelFacts facts = ModelSketch.Facts("vision-encoder-decoder") with { DecoderModelType = "gpt2", SubModelTypes = ["vit"] };
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.Multimodal, "encoder.encoder.layer.{0-1}.attention.attention.{query|key|value}")
            .Tensor(RuleIds.Linear, "decoder.transformer.h.{0-1}.crossattention.{c_attn|q_attn|c_proj}.weight", 64, 64)
            .Check(facts);

        Assert.All(result.Decisions, static decision =>
            Assert.Equal(decision.Tensor.Name.StartsWith("decoder.", StringComparison.Ordinal), decision.Transpose));
    }

    [Fact]
    public void Decide_GptBigCode_BiasTellsThatItIsNotConv1D()
    {
        PolicyResult result = new ModelSketch()
            .Tensor(RuleIds.Linear, "transformer.h.0.attn.c_attn.weight", 192, 64)
            .Tensor(RuleIds.Bias, "transformer.h.0.attn.c_attn.bias", 192)
            .Check(ModelSketch.Facts("gpt2"));

        Assert.False(result.Decisions[0].Transpose);
    }

    [Fact]
    public void Decide_Opt_KeepsPositionsAndTiedHead() =>
        new ModelSketch()
            .Kept(RuleIds.Embedding, "model.decoder.{embed_tokens|embed_positions}")
            .Linear("model.decoder.{project_in|project_out}")
            .Linear("model.decoder.layers.{0-1}.self_attn.{q_proj|k_proj|v_proj|out_proj}")
            .Linear("model.decoder.layers.{0-1}.{fc1|fc2}")
            .Kept(RuleIds.Head, "lm_head")
            .Check(ModelSketch.Facts("opt"));

    [Theory]
    [InlineData("bloom", "h", "self_attention.{query_key_value|dense}", "mlp.{dense_h_to_4h|dense_4h_to_h}")]
    [InlineData("mpt", "transformer.blocks", "attn.{Wqkv|out_proj}", "ffn.{up_proj|down_proj}")]
    public void Decide_FusedAttentionDecoder_QuantizesEveryProjection(
        string modelType, string layers, string attention, string feedForward) =>
        new ModelSketch()
            .Kept(RuleIds.Embedding, "transformer.{wte|word_embeddings}")
            .Linear(layers + ".{0-1}." + attention)
            .Linear(layers + ".{0-1}." + feedForward)
            .Check(ModelSketch.Facts(modelType, tied: true));

    [Fact]
    public void Decide_Falcon_CopiesTheSubclassThatVersion5PassesOver() =>
        new ModelSketch()
            .Kept(RuleIds.Embedding, "transformer.word_embeddings")
            .Kept(RuleIds.Subclass, "transformer.h.{0-1}.self_attention.{query_key_value|dense}")
            .Kept(RuleIds.Subclass, "transformer.h.{0-1}.mlp.{dense_h_to_4h|dense_4h_to_h}")
            .Check(ModelSketch.Facts("falcon", tied: true));

    [Fact]
    public void Decide_GptNeoX_SkipsItsHeadByItsName()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.Embedding, "gpt_neox.embed_in")
            .Linear("gpt_neox.layers.{0-1}.attention.{query_key_value|dense}")
            .Kept(RuleIds.Head, "embed_out")
            .Check(ModelSketch.Facts("gpt_neox"));

        Assert.Equal([.. Generic, "embed_out"], result.SkipModules.OrderBy(static entry => entry == "embed_out"));
    }

    [Fact]
    public void Decide_ExcludeUnaligned_LeavesThemOutAndListsThem()
    {
        PolicyResult result = new ModelSketch()
            .Linear("model.layers.{0-1}.mlp.{gate_proj|up_proj}", 100, 64)
            .Kept(RuleIds.Unaligned, "model.layers.{0-1}.mlp.down_proj", 64, 100)
            .Check(ModelSketch.Facts("llama"), ModelSketch.Options() with { ExcludeUnaligned = true });

        Assert.Contains("down_proj", result.SkipModules);
    }

    [Fact]
    public void Decide_UnfamiliarLeaf_IsQuantizedWithANote() =>
        Assert.Contains("spectral_thing", Assert.Single(new ModelSketch()
            .Linear("model.layers.{0-1}.spectral_thing")
            .Check(ModelSketch.Facts("remote_code")).Notes), StringComparison.Ordinal);

    [Fact]
    public void Decide_NotQuantizableTensors_NamesTheReason() =>
        new ModelSketch()
            .Tensor(RuleIds.Empty, "a.weight", 0, 64)
            .Tensor(RuleIds.NotWeight, "class_embedding", 4, 64)
            .Tensor(RuleIds.NotWeight, ".weight", 4, 64)
            .Tensor(RuleIds.NotMatrix, "conv1.weight", 4, 4, 3)
            .Tensor(RuleIds.Bias, "a.bias", 4)
            .Check(ModelSketch.Facts("llama"));

    internal static ModelSketch Decoder() => new ModelSketch()
        .Kept(RuleIds.Embedding, "model.embed_tokens", 512)
        .Linear("model.layers.{0-2}.self_attn.{q_proj|k_proj|v_proj|o_proj}")
        .Linear("model.layers.{0-2}.mlp.{gate_proj|up_proj|down_proj}")
        .Tensor(RuleIds.Norm, "model.layers.{0-2}.{input_layernorm|post_attention_layernorm}.weight", 64)
        .Tensor(RuleIds.Norm, "model.norm.weight", 64);
}
