using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class MultimodalPolicyTests
{
    [Theory]
    [InlineData("llava", "language_model.model.", "vision_tower.v.", "multi_modal_projector.linear_1", "language_model.lm_head")]
    [InlineData("gemma3", "model.language_model.", "model.vision_tower.v.", "model.multi_modal_projector.linear_1", "lm_head")]
    [InlineData("qwen2_vl", "model.", "visual.", "visual.merger.mlp.0", "lm_head")]
    public void Decide_VisionLanguageModel_KeepsTowerAndProjector(
        string type, string text, string vision, string projector, string head)
    {
        PolicyResult result = Sketch(RuleIds.Multimodal, text, vision, projector, head)
            .Check(ModelSketch.Facts(type, multimodal: true));

        // One or two entries per alias of a tower, not one per layer.
        Assert.InRange(result.SkipModules.Count, 5, 12);
    }

    [Fact]
    public void Decide_QuantizeVision_QuantizesTheTower() =>
        Sketch(RuleIds.Linear, "model.language_model.", "model.vision_tower.", "model.multi_modal_projector.linear_1", "lm_head")
            .Check(ModelSketch.Facts("gemma3", multimodal: true), ModelSketch.Options() with { QuantizeVision = true });

    [Fact]
    public void Decide_ExcludedTextLayer_IsSkippedUnderEveryRenaming()
    {
        PolicyResult result = new ModelSketch()
            .Kept(RuleIds.UserExclude, "language_model.model.layers.1.mlp.{gate_proj|up_proj|down_proj}")
            .Linear("language_model.model.layers.{10-12}.mlp.{gate_proj|up_proj|down_proj}")
            .Check(ModelSketch.Facts("llava", multimodal: true), ModelSketch.Options((false, "*.layers.1.mlp.*")));

        Assert.Contains("model.language_model.layers.1.mlp", result.SkipModules);
    }

    private static ModelSketch Sketch(string towerRule, string text, string vision, string projector, string head) =>
        new ModelSketch()
            .Kept(RuleIds.Embedding, text + "embed_tokens")
            .Linear(text + "layers.{0-2}.self_attn.{q_proj|k_proj|v_proj|o_proj}")
            .Linear(text + "layers.{0-2}.mlp.{gate_proj|up_proj|down_proj}")
            .Kept(towerRule, vision + "encoder.layers.{0-2}.self_attn.{q_proj|k_proj|v_proj|out_proj}")
            .Kept(towerRule, vision + "encoder.layers.{0-2}.mlp.{fc1|fc2}", 128, 4304)
            .Tensor(RuleIds.NotMatrix, vision + "embeddings.patch_embedding.weight", 64, 3, 14, 14)
            .Kept(towerRule, projector)
            .Kept(RuleIds.Head, head);
}
