using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class SpecialFamilyPolicyTests
{
    [Fact]
    public void Decide_T5_KeepsWo()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.Embedding, "shared")
            .Linear("{encoder|decoder}.block.{0-1}.layer.0.SelfAttention.{q|k|v|o}")
            .Kept(RuleIds.Embedding, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias", 32, 8)
            .Linear("{encoder|decoder}.block.{0-1}.layer.1.DenseReluDense.{wi_0|wi_1}")
            .Kept(RuleIds.KeepFloat32, "{encoder|decoder}.block.{0-1}.layer.1.DenseReluDense.wo")
            .Kept(RuleIds.Head, "lm_head")
            .Check(ModelSketch.Facts("t5"));

        Assert.Equal(["classifier", "lm_head", "qa_outputs", "score", "wo"], result.SkipModules);
    }

    [Fact]
    public void Decide_Whisper_ListsTheTiedHeadItCannotSee()
    {
        PolicyResult result = new ModelSketch()
            .Tensor(RuleIds.NotMatrix, "model.encoder.conv1.weight", 64, 80, 3)
            .Kept(RuleIds.Embedding, "model.{encoder|decoder}.embed_positions")
            .Linear("model.{encoder|decoder}.layers.{0-1}.self_attn.{q_proj|k_proj|v_proj|out_proj}")
            .Linear("model.{encoder|decoder}.layers.{0-1}.{fc1|fc2}")
            .Check(ModelSketch.Facts("whisper", tied: true));

        Assert.Contains("proj_out", result.SkipModules);
    }

    [Theory]
    [InlineData("bert.")]
    [InlineData("")]
    public void Decide_BertClassifier_QuantizesLayersAndPooler(string prefix) =>
        new ModelSketch()
            .Kept(RuleIds.Embedding, prefix + "embeddings.{word_embeddings|position_embeddings|token_type_embeddings}")
            .Linear(prefix + "encoder.layer.{0-1}.attention.self.{query|key|value}")
            .Linear(prefix + "encoder.layer.{0-1}.{attention.output|intermediate|output}.dense")
            .Linear(prefix + "pooler.dense")
            .Linear("cls.predictions.transform.dense")
            .Kept(RuleIds.Head, "cls.predictions.decoder")
            .Kept(RuleIds.Head, "classifier", 2)
            .Check(ModelSketch.Facts("bert", "BertForSequenceClassification"));

    [Fact]
    public void Decide_DistilBertClassifier_KeepsBothHeadLayers() =>
        new ModelSketch()
            .Linear("distilbert.transformer.layer.{0-1}.attention.{q_lin|k_lin|v_lin|out_lin}")
            .Kept(RuleIds.Closure, "pre_classifier")
            .Kept(RuleIds.Head, "classifier", 2)
            .Check(ModelSketch.Facts("distilbert"));

    [Fact]
    public void Decide_RobertaMaskedHead_KeepsTheWholeHead() =>
        new ModelSketch()
            .Linear("roberta.encoder.layer.{0-1}.attention.self.{query|key|value}")
            .Kept(RuleIds.Head, "lm_head.{dense|decoder}")
            .Check(ModelSketch.Facts("roberta"));

    [Fact]
    public void Decide_SiglipPoolingHead_KeepsMultiheadAttention()
    {
        PolicyResult result = new ModelSketch()
            .Linear("vision_model.encoder.layers.{0-1}.self_attn.{q_proj|k_proj|v_proj|out_proj}")
            .Tensor(RuleIds.NotWeight, "vision_model.head.attention.in_proj_weight", 192, 64)
            .Kept(RuleIds.MultiheadAttention, "vision_model.head.attention.out_proj")
            .Linear("vision_model.head.mlp.fc1")
            .Check(ModelSketch.Facts("siglip_vision_model"));

        Assert.Contains("vision_model.head.attention", result.SkipModules);
    }

    [Fact]
    public void Decide_Jamba_KeepsMambaAndRouterByOneWordEach()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.StateSpace, "model.layers.{0-9}.mamba.{in_proj|x_proj|dt_proj|out_proj}")
            .Tensor(RuleIds.NotMatrix, "model.layers.{0-9}.mamba.conv1d.weight", 64, 1, 4)
            .Linear("model.layers.10.self_attn.{q_proj|k_proj|v_proj|o_proj}")
            .Linear("model.layers.{0-10}.feed_forward.experts.{0-3}.{gate_proj|up_proj|down_proj}")
            .Kept(RuleIds.Router, "model.layers.{0-10}.feed_forward.router", 4)
            .Check(ModelSketch.Facts("jamba"));

        Assert.Equal([".*\\.mamba\\..*", "classifier", "lm_head", "mamba", "qa_outputs", "router", "score"], result.SkipModules);
    }

    [Fact]
    public void Decide_PureMamba_KeepsWhatTheScanReads() =>
        new ModelSketch()
            .Linear("backbone.layers.{0-1}.mixer.{in_proj|out_proj}")
            .Kept(RuleIds.StateSpace, "backbone.layers.{0-1}.mixer.{x_proj|dt_proj}")
            .Check(ModelSketch.Facts("mamba"));

    [Fact]
    public void Decide_NemotronHybrid_QuantizesAttentionInsideMixers() =>
        new ModelSketch()
            .Kept(RuleIds.StateSpace, "backbone.layers.0.mixer.{in_proj|out_proj}")
            .Linear("backbone.layers.1.mixer.{q_proj|k_proj|v_proj|o_proj}")
            .Linear("backbone.layers.2.mixer.{up_proj|down_proj}")
            .Check(ModelSketch.Facts("nemotron_h"));

    [Fact]
    public void Decide_Flux_QuantizesProjOutBecauseTheBlocksHaveIt()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.DiffusionEnds, "{x_embedder|context_embedder|norm_out.linear}")
            .Kept(RuleIds.DiffusionEnds, "time_text_embed.timestep_embedder.{linear_1|linear_2}")
            .Linear("transformer_blocks.{0-1}.attn.{to_q|to_k|to_v|to_out.0|add_q_proj}")
            .Linear("transformer_blocks.{0-1}.norm1.linear")
            .Linear("single_transformer_blocks.{0-1}.{proj_mlp|proj_out}")
            .Linear("proj_out")
            .Check(ModelSketch.Facts(null, "FluxTransformer2DModel"));

        Assert.DoesNotContain("score", result.SkipModules);
        Assert.Contains("lm_head", result.SkipModules);
    }

    [Fact]
    public void Decide_StableDiffusion3_KeepsProjOut() =>
        new ModelSketch()
            .Linear("transformer_blocks.{0-1}.attn.{to_q|to_k}")
            .Kept(RuleIds.DiffusionEnds, "proj_out")
            .Check(ModelSketch.Facts(null, "SD3Transformer2DModel"));
}
