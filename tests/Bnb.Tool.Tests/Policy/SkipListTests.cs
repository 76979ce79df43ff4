using Bnb.Engine.Policy.Names;
using Bnb.Engine.Policy.SkipLists;
using Xunit;

namespace Bnb.Tool.Tests.Policy;

public class SkipListTests
{
    // entry, name, then whether v4, v5, v5 anchored and vLLM skip it.
    [Theory]
    [InlineData("mlp.gate", "model.layers.0.mlp.gate", false, true, true, false)]
    [InlineData("mlp.gate", "model.layers.0.mlp.gate_proj", false, false, false, false)]
    [InlineData("gate", "model.layers.0.mlp.gate", true, true, true, true)]
    [InlineData("gate", "model.layers.0.mlp.gate_proj", false, false, false, false)]
    [InlineData("gate", "model.layers.0.mlp.shared_expert_gate", false, true, true, false)]
    [InlineData("model.layers.0.mlp.gate", "model.layers.0.mlp.gate", true, true, true, true)]
    [InlineData("model.layers.0.mlp.gate", "model.layers.0.mlp.gate_proj", false, true, false, false)]
    [InlineData("model.layers.1", "model.layers.1.mlp.down_proj", true, true, true, true)]
    [InlineData("model.layers.1", "model.layers.10.mlp.down_proj", false, true, false, false)]
    [InlineData("model.layers.1.mlp", "model.layers.10.mlp.down_proj", false, false, false, false)]
    [InlineData("vision_tower", "vision_tower.encoder.fc1", true, true, true, true)]
    [InlineData("vision_tower", "model.vision_tower.encoder.fc1", true, false, false, true)]
    [InlineData("model.vision_tower", "vision_tower.encoder.fc1", false, false, false, false)]
    [InlineData("model.vision_tower", "model.vision_tower.encoder.fc1", true, true, true, true)]
    [InlineData("lm_head", "lm_head", true, true, true, true)]
    [InlineData("lm_head", "language_model.lm_head", true, true, true, true)]
    [InlineData("classifier.bias", "classifier", false, false, false, false)]
    [InlineData("head", "lm_head", false, true, true, false)]
    [InlineData("head", "vision_model.head.attention.out_proj", true, false, false, true)]
    [InlineData("wo", "encoder.block.0.layer.1.DenseReluDense.wo", true, true, true, true)]
    [InlineData("wo", "encoder.block.0.layer.0.SelfAttention.o", false, false, false, false)]
    [InlineData("experts", "model.layers.0.mlp.experts.3.gate_proj", true, false, false, true)]
    [InlineData("experts", "model.layers.0.mlp.shared_experts.gate_proj", true, false, false, false)]
    [InlineData(".*\\.experts\\..*", "model.layers.0.mlp.experts.3.gate_proj", false, true, true, false)]
    [InlineData(".*\\.experts\\.", "model.layers.0.mlp.experts.3.gate_proj", false, true, true, false)]
    [InlineData(".*\\.experts\\..*", "model.layers.0.mlp.shared_experts.gate_proj", false, false, false, false)]
    [InlineData("proj_out", "transformer_blocks.0.ff.proj_out", true, true, true, true)]
    [InlineData("a.b", "aXb.c", false, true, true, false)]
    [InlineData("a.b", "a\nb.c", false, false, false, false)]
    [InlineData("a.b", "a.b\n", false, true, true, false)]
    public void Matchers_OneEntry_AnswerAsTheConsumersDo(string entry, string name, bool v4, bool v5, bool anchored, bool vllm)
    {
        var list = new SkipList([entry]);

        Assert.Equal(
            (v4, v5, anchored, vllm),
            (list.MatchesV4(name), list.MatchesV5(name), list.MatchesV5Anchored(name), list.MatchesVllm(name)));
        string[] entries = [entry];
        Assert.Equal(v4, NaiveMatchers.All["v4"](entries, name));
        Assert.Equal(v5, NaiveMatchers.All["v5"](entries, name));
        Assert.Equal(anchored, NaiveMatchers.All["v5-anchored"](entries, name));
        Assert.Equal(vllm, NaiveMatchers.All["vllm"](entries, name));
    }

    [Fact]
    public void Matchers_RandomEntriesAndNames_EqualTheNaiveOnesAndTheTree()
    {
        var random = new Random(20260801);
        for (int round = 0; round < 3000; round++)
        {
            string[] entries = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => RandomNames.Path(random, 3))];
            string name = RandomNames.Path(random, 5);
            var list = new SkipList(entries);
            bool v4 = NaiveMatchers.All["v4"](entries, name);
            bool v5 = NaiveMatchers.All["v5"](entries, name);
            bool vllm = NaiveMatchers.All["vllm"](entries, name);

            Assert.Equal(v4, list.MatchesV4(name));
            Assert.Equal(v5, list.MatchesV5(name));
            Assert.Equal(NaiveMatchers.All["v5-anchored"](entries, name), list.MatchesV5Anchored(name));
            Assert.Equal(vllm, list.MatchesVllm(name));
            Assert.Equal(v4 || v5 || vllm, entries.Any(new NameTree([name]).IsTouchedBy));
        }
    }

    [Theory]
    [InlineData("language_model.model.layers.0.mlp.up", "model.language_model.layers.0.mlp.up")]
    [InlineData("model.language_model.layers.0.mlp.up", "language_model.model.layers.0.mlp.up")]
    [InlineData("model.language_model.layers.0.mlp.up", "model.layers.0.mlp.up")]
    [InlineData("language_model.lm_head", "lm_head")]
    [InlineData("vision_tower.fc1", "model.vision_tower.fc1")]
    [InlineData("visual.merger.mlp.0", "model.visual.merger.mlp.0")]
    [InlineData("model.layers.0.block_sparse_moe.gate", "model.layers.0.mlp.gate")]
    [InlineData("model.layers.0.mlp.gate", "model.layers.0.block_sparse_moe.gate")]
    [InlineData("model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.qkv_proj")]
    [InlineData("model.layers.0.mlp.up_proj", "layers.0.mlp.gate_up_proj")]
    [InlineData("h.0.attn.c_attn", "transformer.h.0.attn.c_attn")]
    public void Aliases_RenamedModule_HoldTheConsumersName(string name, string alias)
    {
        var facts = ModelSketch.Facts(name.StartsWith("h.", StringComparison.Ordinal) ? "gpt2" : "llama");

        Assert.Contains(alias, new NameAliases(facts, FusedGroups.Usual).Of(new Bnb.Engine.Policy.Names.ModuleName(name)));
    }
}
