using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class CompressedTensorsPolicyTests
{
    private static readonly ModelFacts Llama = ModelSketch.Facts("llama");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Decide_Decoder_ListsTheHeadsWithOrWithoutATensor(bool tied)
    {
        ModelSketch sketch = LanguageModelPolicyTests.Decoder();
        if (!tied) sketch.Kept(RuleIds.Head, "lm_head", 512);

        PolicyResult result = sketch.Check(ModelSketch.Facts("llama", tied: tied), Options());

        Assert.Equal(
            ["classifier", "lm_head", "qa_outputs", "score"],
            result.SkipModules);
        Assert.Empty(result.Notes);
    }

    [Fact]
    public void Decide_NarrowDownProjection_IsCopiedAndListed()
    {
        PolicyResult result = new ModelSketch()
            .Linear("model.layers.{0-1}.mlp.{gate_proj|up_proj}", 100, 64)
            .Kept(RuleIds.Unaligned, "model.layers.{0-1}.mlp.down_proj", 64, 100)
            .Check(Llama, Options());

        Assert.True(ModelSketch.Ignores(result, "model.layers.1.mlp.down_proj"));
        Assert.Equal(["classifier", "lm_head", "qa_outputs", @"re:.*\.down_proj$", "score"], result.SkipModules);
        Assert.All(result.Decisions, static decision => Assert.Equal(decision.Tensor.Shape[1] == 100, decision.Unaligned));
    }

    [Fact]
    public void Decide_IncludedUnalignedLayer_IsRefused()
    {
        PolicyException error = Assert.Throws<PolicyException>(() => QuantizationPolicy.Decide(
            [ModelSketch.Make("a.weight", 64, 100)], Llama, Options((true, "a"))));

        Assert.Equal(PolicyException.PatternImpossible, error.Code);
        Assert.Contains(error.Facts, static fact => fact.Value == "input width 100 is no multiple of 64");
    }

    [Fact]
    public void Decide_UnalignedRouterIncluded_StaysCopied() =>
        new ModelSketch()
            .Kept(RuleIds.Unaligned, "model.layers.0.mlp.gate", 8, 100)
            .Kept(RuleIds.UserInclude, "model.layers.1.mlp.gate", 8, 128)
            .Check(Llama, Options((true, "*.gate")));

    [Fact]
    public void Decide_Gpt2_CopiesConv1D()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.Embedding, "transformer.{wte|wpe}")
            .Tensor(RuleIds.Conv1D, "transformer.h.{0-1}.attn.{c_attn|c_proj}.weight", 128, 128)
            .Tensor(RuleIds.Conv1D, "transformer.h.{0-1}.mlp.{c_fc|c_proj}.weight", 128, 128)
            .Check(ModelSketch.Facts("gpt2", tied: true), Options());

        Assert.True(ModelSketch.Ignores(result, "transformer.h.0.attn.c_attn"));
    }

    [Fact]
    public void Decide_ExcludedMember_TakesItsFusedGroupAlong()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.UserExclude, "model.layers.1.self_attn.q_proj")
            .Kept(RuleIds.FusedGroup, "model.layers.1.self_attn.{k_proj|v_proj}")
            .Linear("model.layers.1.self_attn.o_proj")
            .Linear("model.layers.10.self_attn.{q_proj|k_proj|v_proj|o_proj}")
            .Check(Llama, Options((false, "model.layers.1.self_attn.q_proj")));

        Assert.True(ModelSketch.Ignores(result, "model.layers.1.self_attn.v_proj"));
    }

    [Fact]
    public void Decide_QueryWithoutKeys_ListsThePartsThatVllmAsksFor()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.UserExclude, "model.layers.1.self_attn.q_proj")
            .Linear("model.layers.0.self_attn.q_proj")
            .Check(Llama, Options((false, "*.1.*")));

        Assert.True(ModelSketch.Ignores(result, "model.layers.1.self_attn.v_proj"));
        Assert.False(ModelSketch.Ignores(result, "model.layers.0.self_attn.v_proj"));
    }

    [Fact]
    public void Decide_Mixtral_QuantizesExpertsAndSaysWhoReadsThem()
    {
        PolicyResult result = new ModelSketch()
            .Linear("model.layers.{0-1}.block_sparse_moe.experts.{0-3}.{w1|w2|w3}")
            .Kept(RuleIds.Router, "model.layers.{0-1}.block_sparse_moe.gate", 8)
            .Check(ModelSketch.Facts("mixtral"), Options());

        Assert.True(ModelSketch.Ignores(result, "model.layers.0.mlp.gate"));
        Assert.DoesNotContain(result.SkipModules, static entry => entry.Contains("experts", StringComparison.Ordinal));
        Assert.Contains(result.Notes, static note => note.Contains("and vLLM read that", StringComparison.Ordinal));
    }

    [Fact]
    public void Decide_OneExpertExcluded_CopiesItsWholeBlock()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.UserExclude, "model.layers.0.block_sparse_moe.experts.1.{w1|w2|w3}")
            .Kept(RuleIds.Closure, "model.layers.0.block_sparse_moe.experts.{0|2|10}.{w1|w2|w3}")
            .Linear("model.layers.{1|10}.block_sparse_moe.experts.{0-3}.{w1|w2|w3}")
            .Check(ModelSketch.Facts("mixtral"), Options((false, "*.layers.0.*.experts.1.*")));

        // The names under which vLLM asks about the block.
        Assert.True(ModelSketch.Ignores(result, "model.layers.0.block_sparse_moe.experts.0.gate_proj"));
        Assert.Contains(result.Notes, static note => note.Contains("into one layer", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("model.layers.0.mlp.experts.gate_up_proj", "model.layers.0.mlp.experts.0.up_proj")]
    [InlineData("model.layers.0.block_sparse_moe.input_linear.weight", "model.layers.0.block_sparse_moe.experts.0.up_proj")]
    public void Decide_FusedExperts_AreListedByTheNamesVllmAsksFor(string tensor, string entry) =>
        Assert.True(ModelSketch.Ignores(new ModelSketch()
            .Linear("model.layers.0.self_attn.o_proj")
            .Tensor(RuleIds.FusedExperts, tensor, 4, 64, 128)
            .Check(ModelSketch.Facts("granitemoe"), Options()), entry));

    [Theory]
    [InlineData("llava", "language_model.model.", "vision_tower.v.", "language_model.lm_head")]
    [InlineData("gemma3", "model.language_model.", "model.vision_tower.v.", "lm_head")]
    [InlineData("qwen2_vl", "model.", "visual.", "lm_head")]
    public void Decide_VisionLanguageModel_ListsTowerAndHeadUnderEveryName(string type, string text, string vision, string head)
    {
        PolicyResult result = new ModelSketch()
            .Linear(text + "layers.{0-2}.mlp.{gate_proj|up_proj|down_proj}")
            .Kept(RuleIds.Multimodal, vision + "encoder.layers.{0-2}.mlp.{fc1|fc2}")
            .Kept(RuleIds.Head, head)
            .Check(ModelSketch.Facts(type, multimodal: true), Options());

        Assert.True(ModelSketch.Ignores(result, head));
        string bare = vision.Replace("model.", "", StringComparison.Ordinal);
        Assert.True(ModelSketch.Ignores(result, bare + "encoder.layers.2.mlp.fc1"));
        Assert.True(ModelSketch.Ignores(result, "model." + bare + "encoder.layers.2.mlp.fc1"));
    }

    [Fact]
    public void Decide_IncludedHead_IsNotListedUnderAnyName()
    {
        PolicyResult result = new ModelSketch()
            .Linear("model.layers.0.mlp.down_proj")
            .Kept(RuleIds.UserInclude, "lm_head")
            .Check(Llama, Options((true, "lm_head")));

        Assert.DoesNotContain(result.SkipModules, static entry => entry.Contains("lm_head", StringComparison.Ordinal));
        Assert.Contains(result.Notes, static note => note.StartsWith("lm_head is quantized", StringComparison.Ordinal));
    }

    [Fact]
    public void Decide_IncludedConv1D_IsRefused()
    {
        PolicyException error = Assert.Throws<PolicyException>(() => QuantizationPolicy.Decide(
            [ModelSketch.Make("h.0.attn.c_attn.weight", 64, 192)], ModelSketch.Facts("gpt2"), Options((true, "*"))));

        Assert.Equal(PolicyException.PatternImpossible, error.Code);
    }

    [Theory]
    [InlineData("re:x")]
    [InlineData("Linear")]
    [InlineData("model.Linear")]
    [InlineData("a\u0007")]
    public void Decide_CopiedModuleWithAMisleadingName_IsRefused(string module)
    {
        PolicyException error = Assert.Throws<PolicyException>(() => QuantizationPolicy.Decide(
            [ModelSketch.Make(module + ".weight", 64, 100), ModelSketch.Make("b.weight", 64, 64)], Llama, Options()));

        Assert.Equal(PolicyException.SkipConflict, error.Code);
        Assert.Contains("name", error.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_ListTooLongForLoaders_IsRefused()
    {
        List<PolicyTensor> tensors =
            [.. Enumerable.Range(0, 20_001).Select(static i => ModelSketch.Make($"model.layers.{i}.thing{i % 7}x.part{i}.weight", 64, 100))];

        PolicyException error = Assert.Throws<PolicyException>(() => QuantizationPolicy.Decide(tensors, Llama, Options()));

        Assert.Contains("20000", error.Summary, StringComparison.Ordinal);
    }

    private static PolicyOptions Options(params (bool Include, string Glob)[] patterns) =>
        ModelSketch.Options(patterns) with { Target = PolicyTarget.CompressedTensors };
}
