using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class MixturePolicyTests
{
    [Fact]
    public void Decide_Mixtral_QuantizesExpertsAndKeepsRouters()
    {
        PolicyResult result = Attention()
            .Linear("model.layers.{0-1}.block_sparse_moe.experts.{0-7}.{w1|w2|w3}")
            .Kept(RuleIds.Router, "model.layers.{0-1}.block_sparse_moe.gate", 8)
            .Kept(RuleIds.Head, "lm_head")
            .Check(ModelSketch.Facts("mixtral"));

        Assert.Contains("gate", result.SkipModules);
        Assert.Contains(result.Notes, static note => note.Contains("transformers 5", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("qwen3_moe")]
    [InlineData("qwen2_moe")]
    [InlineData("deepseek_v3")]
    public void Decide_NumberedExpertsBesideDenseLayers_KeepsOnlyRouters(string modelType)
    {
        PolicyResult result = Attention()
            .Linear("model.layers.{1-2}.mlp.experts.{0-11}.{gate_proj|up_proj|down_proj}")
            .Linear("model.layers.{1-2}.mlp.shared_experts.{gate_proj|up_proj|down_proj}")
            .Linear("model.layers.0.mlp.{gate_proj|up_proj|down_proj}")
            .Kept(RuleIds.Router, "model.layers.{1-2}.mlp.gate", 12)
            .Kept(RuleIds.Router, "model.layers.{1-2}.mlp.shared_expert_gate", 1)
            .Tensor(RuleIds.Bias, "model.layers.{1-2}.mlp.gate.e_score_correction_bias", 12)
            .Kept(RuleIds.Head, "lm_head")
            .Check(ModelSketch.Facts(modelType));

        Assert.Equal(["classifier", "gate", "lm_head", "qa_outputs", "score", "shared_expert_gate"], result.SkipModules);
    }

    [Fact]
    public void Decide_DeepSeekPredictionLayer_KeepsItsHead() =>
        new ModelSketch()
            .Linear("model.layers.{0-1}.self_attn.{q_a_proj|q_b_proj|kv_a_proj_with_mqa|kv_b_proj|o_proj}")
            .Linear("model.layers.1.eh_proj")
            .Kept(RuleIds.Embedding, "model.layers.1.embed_tokens")
            .Kept(RuleIds.Head, "model.layers.1.shared_head.head")
            .Kept(RuleIds.Head, "lm_head")
            .Check(ModelSketch.Facts("deepseek_v3"));

    [Theory]
    [InlineData("llama4_text", "model.layers.{0-1}.feed_forward", "gate_up_proj")]
    [InlineData("gpt_oss", "model.layers.{0-1}.mlp", "down_proj")]
    public void Decide_FusedExperts_AreReported(string modelType, string block, string leaf)
    {
        PolicyResult result = Attention()
            .Tensor(RuleIds.FusedExperts, $"{block}.experts.{leaf}", 4, 64, 128)
            .Tensor(RuleIds.Bias, $"{block}.experts.{leaf}_bias", 4, 128)
            .Kept(RuleIds.Router, block + ".router", 4)
            .Check(ModelSketch.Facts(modelType));

        Assert.Equal(2, result.FusedExperts.Count);
        Assert.Equal(65536, result.FusedExperts[0].ByteCount);
        Assert.Equal([4L, 64, 128], result.FusedExperts[0].Shape);
    }

    [Fact]
    public void Decide_GraniteExperts_AreReported() =>
        Assert.Equal(2, Attention()
            .Tensor(RuleIds.FusedExperts, "model.layers.0.block_sparse_moe.{input|output}_linear.weight", 4, 64, 128)
            .Kept(RuleIds.Router, "model.layers.0.block_sparse_moe.router.layer", 4)
            .Check(ModelSketch.Facts("granitemoe")).FusedExperts.Count);

    [Fact]
    public void Decide_AllExpertsExcluded_NeedsNoEntryPerExpert()
    {
        PolicyResult result = Attention()
            .Kept(RuleIds.UserExclude, "model.layers.{0-19}.mlp.experts.{0-7}.{gate_proj|up_proj|down_proj}")
            .Linear("model.layers.{0-19}.mlp.shared_experts.{gate_proj|up_proj|down_proj}")
            .Check(ModelSketch.Facts("deepseek_v3"), ModelSketch.Options((false, "*.experts.*")));

        Assert.InRange(result.SkipModules.Count, 1, 50);
        Assert.DoesNotContain(result.Notes, static note => note.Contains("only a part", StringComparison.Ordinal));
    }

    [Fact]
    public void Decide_OneExpertExcluded_SaysWhatVllmWants()
    {
        PolicyResult result = Attention()
            .Kept(RuleIds.UserExclude, "model.layers.1.mlp.experts.1.{gate_proj|up_proj|down_proj}")
            .Linear("model.layers.1.mlp.experts.{0|10|11}.{gate_proj|up_proj|down_proj}")
            .Check(ModelSketch.Facts("qwen3_moe"), ModelSketch.Options((false, "*.experts.1.*")));

        Assert.Contains(result.Notes, static note => note.Contains("only a part", StringComparison.Ordinal));
    }

    private static ModelSketch Attention() =>
        new ModelSketch().Linear("model.layers.{0-2}.self_attn.{q_proj|k_proj|v_proj|o_proj}");
}
