using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class Int8PolicyTests
{
    [Theory]
    [InlineData("llama")]
    [InlineData("a_type_from_next_year")]
    public void Decide_GatedDecoder_QuantizesEveryProjection(string modelType)
    {
        PolicyResult result = LanguageModelPolicyTests.Decoder()
            .Kept(RuleIds.Head, "lm_head", 512)
            .Check(ModelSketch.Facts(modelType), Options());

        Assert.Equal(["classifier", "lm_head", "qa_outputs", "score"], result.SkipModules);
        Assert.Empty(result.Notes);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("bert")]
    [InlineData("remote_code")]
    public void Decide_UnknownLeaf_IsCopiedForAnyModelType(string modelType)
    {
        PolicyResult result = new ModelSketch()
            .Linear("model.layers.{0-1}.self_attn.o_proj")
            .Kept(RuleIds.UnknownLinear, "model.layers.{0-1}.{spectral_thing|self_attn.kv_b_proj|mixer.in_proj|Q_PROJ}")
            .Check(ModelSketch.Facts(modelType), Options());

        Assert.Contains("spectral_thing", result.SkipModules);
        Assert.Contains(result.Notes, static note => note.Contains("not known to be linear", StringComparison.Ordinal));
    }

    [Fact]
    public void Decide_IncludedUnknownLeaf_IsQuantized() =>
        new ModelSketch()
            .Kept(RuleIds.UserInclude, "model.layers.{0-1}.spectral_thing")
            .Kept(RuleIds.UnknownLinear, "model.layers.{0-1}.other_thing")
            .Check(ModelSketch.Facts("remote_code"), Options((true, "*.spectral_thing")));

    [Fact]
    public void Decide_AnyWidth_IsAlignedEvenWhenUnalignedIsExcluded()
    {
        PolicyResult result = new ModelSketch()
            .Linear("model.layers.{0-1}.mlp.down_proj", 64, 101)
            .Check(ModelSketch.Facts("llama"), Options() with { ExcludeUnaligned = true });

        Assert.All(result.Decisions, static decision => Assert.False(decision.Unaligned));
    }

    [Fact]
    public void Decide_NumberedLayers_AreKnownOnlyInsideDiffusersSequentials() =>
        new ModelSketch()
            .Linear("transformer_blocks.{0-1}.attn.to_out.0")
            .Linear("transformer_blocks.{0-1}.ff.net.{0.proj|2}")
            .Kept(RuleIds.UnknownLinear, "transformer_blocks.{0-1}.mystery.0")
            .Kept(RuleIds.UnknownLinear, "7")
            .Check(ModelSketch.Facts(null, "FluxTransformer2DModel"), Options());

    [Fact]
    public void Decide_OlderFamilies_AreKnown() =>
        new ModelSketch()
            .Linear("encoder.block.0.layer.0.SelfAttention.{q|k|v|o}")
            .Linear("bert.encoder.layer.0.attention.self.{query|key|value}")
            .Linear("bert.encoder.layer.0.output.dense")
            .Linear("transformer.layer.0.{attention.q_lin|attention.out_lin|ffn.lin1}")
            .Linear("h.0.self_attention.{query_key_value|dense}")
            .Linear("h.0.mlp.{dense_h_to_4h|dense_4h_to_h|fc_in|fc1}")
            .Linear("layers.0.{Wqkv|wqkv|w1|w2|w3|wo}")
            .Check(ModelSketch.Facts("llama"), Options());

    [Fact]
    public void Decide_Gpt2_TransposesConv1D()
    {
        PolicyResult result = new ModelSketch()
            .Tensor(RuleIds.Linear, "transformer.h.{0-1}.attn.{c_attn|c_proj}.weight", 64, 128)
            .Check(ModelSketch.Facts("gpt2", tied: true), Options());

        Assert.All(result.Decisions, static decision => Assert.True(decision.Transpose));
    }

    [Fact]
    public void Decide_NumberedExperts_SaysThatVllmHasNone() =>
        Assert.Contains(
            new ModelSketch()
                .Linear("model.layers.{0-1}.block_sparse_moe.experts.{0-3}.{w1|w2|w3}")
                .Kept(RuleIds.Router, "model.layers.{0-1}.block_sparse_moe.gate", 8)
                .Check(ModelSketch.Facts("mixtral"), Options()).Notes,
            static note => note.Contains("vLLM has no int8 experts", StringComparison.Ordinal));

    private static PolicyOptions Options(params (bool Include, string Glob)[] patterns) =>
        ModelSketch.Options(patterns) with { Target = PolicyTarget.Bnb8 };
}
