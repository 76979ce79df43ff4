using Bnb.Engine.Architectures;
using Xunit;

namespace Bnb.Tool.Tests.Architectures;

public sealed class AtlasTests
{
    [Fact]
    public void Embedded_Size_LeavesThePackageSmall()
    {
        using Stream stream = typeof(Atlas).Assembly.GetManifestResourceStream(AtlasFile.ResourceName)!;

        Assert.InRange(stream.Length, 1, 300_000);
    }

    [Fact]
    public void Class_Llama_HasItsTensors()
    {
        ModelClass llama = Atlas.Embedded.Class(AtlasSection.Transformers, "LlamaForCausalLM")!;

        Assert.Equal([Loader.Transformers4, Loader.Transformers5], llama.Loaders);
        Assert.True(llama.Find("model.layers.*.mlp.up_proj.weight")!.IsLinearEverywhere);
        Assert.True(llama.Find("model.embed_tokens.weight")!.IsNeverLinear);
        Assert.Null(llama.Find("model.layers.*.mlp.unheard_of.weight"));
    }

    [Theory]
    [InlineData("model.layers.12.mlp.experts.3.up_proj", "model.layers.*.mlp.experts.*.up_proj", "12 3")]
    [InlineData("a.b1.c", "a.b1.c", "")]
    [InlineData("0.x.1", "*.x.*", "0 1")]
    public void Pattern_OfAName_TakesItsNumbersOutAndFillPutsThemBack(string name, string pattern, string numbers)
    {
        Assert.Equal((pattern, numbers), (NumberedName.Pattern(name), string.Join(' ', NumberedName.Numbers(name))));
        Assert.Equal(name, NumberedName.Fill(pattern, NumberedName.Numbers(name)));
    }

    [Fact]
    public void Vllm_Deepseek_NamesWhatItFuses()
    {
        VllmModel deepseek = Atlas.Embedded.Vllm("DeepseekV3ForCausalLM")!;

        Assert.Contains(deepseek.Groups, static group => group.Fused == "fused_qkv_a_proj");
        Assert.Equal("model.layers.0.self_attn.o_proj", deepseek.Rename("model.layers.0.self_attn.o_proj"));
    }

    // By what a config says: the class, a class of the same type, a base class in the name, a part of a wrapper.
    [Theory]
    [InlineData("LlamaForCausalLM", "llama", "model.layers.0.self_attn.{0}.weight", "LlamaForCausalLM")]
    [InlineData("Qwen2ForProcessRewardModel", "qwen2", "model.layers.0.self_attn.{0}.weight", "Qwen2ForCausalLM")]
    [InlineData("LlavaLlamaForCausalLM", "llava_llama", "model.layers.0.self_attn.{0}.weight", "LlamaForCausalLM")]
    [InlineData("BertForMaskedLM", "bert", "encoder.layer.0.attention.self.{0}.weight", "BertForMaskedLM")]
    public void Find_ByTheConfig_IsTheClass(string architecture, string type, string names, string expected)
    {
        string[] leaves = type == "bert" ? ["query", "key", "value"] : ["q_proj", "k_proj", "v_proj"];
        KnownModel model = ModelFinder.Find(
            Atlas.Embedded,
            new ModelIdentity(type, null, [architecture], []),
            leaves.Select(leaf => string.Format(System.Globalization.CultureInfo.InvariantCulture, names, leaf)));

        Assert.Equal(expected, model.Whole?.Name);
    }

    [Fact]
    public void Find_TextModelInsideAnUnknownWrapper_IsAPartWithAPrefix()
    {
        string[] names = [.. ((string[])["q_proj", "k_proj", "v_proj", "o_proj"]).Select(static leaf => $"thinker.llm.model.layers.0.self_attn.{leaf}.weight"), "thinker.tower.x.weight"];
        KnownModel model = ModelFinder.Find(
            Atlas.Embedded,
            new ModelIdentity("unheard_of", null, ["Unheard"], [new ModelIdentity(null, null, [], [new ModelIdentity("llama", null, [], [])])]),
            names);

        Assert.Null(model.Whole);
        Assert.Equal("thinker.llm.", Assert.Single(model.Parts).Prefix);
        Assert.True(model.Find(names[0])!.Facts.IsLinearEverywhere);
        Assert.Null(model.Find(names[^1]));
    }
}
