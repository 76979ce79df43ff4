using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class UserPatternPolicyTests
{
    private static readonly ModelFacts Llama = ModelSketch.Facts("llama");

    [Theory]
    [InlineData("*", "anything.at.all", true)]
    [InlineData("*.mlp.*", "model.layers.0.mlp.up_proj", true)]
    [InlineData("model.layers.?.mlp", "model.layers.12.mlp", false)]
    [InlineData("*.{q,k}_proj", "a.k_proj", true)]
    [InlineData("*.{q,k}_proj", "a.v_proj", false)]
    [InlineData("{a,b}.{c,d}", "b.d", true)]
    [InlineData("lm_head", "lm_head.weight", false)]
    [InlineData("a{b", "a{b", true)]
    [InlineData("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", false)]
    [InlineData("", "", true)]
    [InlineData("LM_head", "lm_head", false)]
    public void Glob_WholeName_MatchesAsDocumented(string glob, string name, bool expected) =>
        Assert.Equal(expected, new Glob(glob).IsMatch(name));

    [Fact]
    public void Decide_ExcludedMember_TakesItsFusedGroupAlong()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.UserExclude, "model.layers.1.self_attn.q_proj")
            .Kept(RuleIds.FusedGroup, "model.layers.1.self_attn.{k_proj|v_proj}")
            .Linear("model.layers.1.self_attn.o_proj")
            .Linear("model.layers.{10-12}.self_attn.{q_proj|k_proj|v_proj|o_proj}")
            .Check(Llama, ModelSketch.Options((false, "model.layers.1.self_attn.q_proj")));

        Assert.Contains("model.layers.1.self_attn.qkv_proj", result.SkipModules);
        Assert.Contains(result.Notes, static note => note.Contains("vLLM fuses", StringComparison.Ordinal));
    }

    [Fact]
    public void Decide_LastPattern_Wins()
    {
        new ModelSketch()
            .Kept(RuleIds.UserInclude, "model.layers.0.mlp.down_proj")
            .Kept(RuleIds.UserExclude, "model.layers.1.mlp.down_proj")
            .Check(Llama, ModelSketch.Options((false, "*"), (true, "*.0.*")));
    }

    [Fact]
    public void Decide_IncludedHead_IsQuantizedAndNotListed()
    {
        PolicyResult result = new ModelSketch()
            .Linear("model.layers.0.mlp.down_proj")
            .Kept(RuleIds.UserInclude, "lm_head")
            .Check(Llama, ModelSketch.Options((true, "lm_head")));

        Assert.DoesNotContain("lm_head", result.SkipModules);
        Assert.Contains(result.Notes, static note => note.StartsWith("lm_head is quantized", StringComparison.Ordinal));
    }

    [Fact]
    public void Decide_IncludeEverything_LeavesEmbeddingsAndNorms() =>
        new ModelSketch()
            .Kept(RuleIds.Embedding, "model.embed_tokens")
            .Tensor(RuleIds.Norm, "model.norm.weight", 64)
            .Kept(RuleIds.UserInclude, "model.layers.0.mlp.down_proj")
            .Check(Llama, ModelSketch.Options((true, "*")));

    [Fact]
    public void Decide_PatternWithoutMatch_NamesNeighbours()
    {
        PolicyException error = Assert.Throws<PolicyException>(() => QuantizationPolicy.Decide(
            LanguageModelPolicyTests.Decoder().Tensors, Llama, ModelSketch.Options((false, "model.layers.0.mlp.dwn_proj"))));

        Assert.Equal(PolicyException.PatternUnmatched, error.Code);
        Assert.Contains(error.Facts, static fact => fact is { Key: "nearest", Value: "model.layers.0.mlp.down_proj" });
        Assert.NotEmpty(error.Action);
    }

    [Theory]
    [InlineData("model.embed_tokens")]
    [InlineData("model.norm.weight")]
    public void Decide_IncludeOfSomethingElse_IsRefused(string glob)
    {
        PolicyException error = Assert.Throws<PolicyException>(() => QuantizationPolicy.Decide(
            LanguageModelPolicyTests.Decoder().Tensors, Llama, ModelSketch.Options((true, glob))));

        Assert.Equal(PolicyException.PatternImpossible, error.Code);
    }

    [Fact]
    public void Decide_GateBesideGateProjection_CopiesTheNeighboursThatVersion5WouldSkip()
    {
        // Layer 0's "gate" must be skipped, layer 1's must not: only the full path does that, and transformers 5 reads it as
        // a prefix of layer 0's gate_proj.
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.Router, "model.layers.0.mlp.gate", 8)
            .Kept(RuleIds.UserInclude, "model.layers.1.mlp.gate", 8)
            .Kept(RuleIds.Closure, "model.layers.0.mlp.{gate_proj|up_proj}")
            .Linear("model.layers.1.mlp.{gate_proj|up_proj}")
            .Linear("model.layers.{0-1}.mlp.down_proj")
            .Check(Llama, ModelSketch.Options((true, "model.layers.1.mlp.gate")));

        Assert.Contains("model.layers.0.mlp.gate", result.SkipModules);
    }

    [Fact]
    public void Decide_UnwritableNameMustBeSkipped_IsRefused()
    {
        PolicyException error = Assert.Throws<PolicyException>(() => QuantizationPolicy.Decide(
            [ModelSketch.Make("a(\u0007.weight", 0, 4), ModelSketch.Make("b.weight", 64, 64)], Llama, ModelSketch.Options()));

        Assert.Equal(PolicyException.SkipConflict, error.Code);
        Assert.DoesNotContain(error.Facts, static fact => fact.Value.Any(char.IsControl));
    }
}
