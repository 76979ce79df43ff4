using System.Text;
using System.Text.Json.Nodes;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Evaluating.Operators;
using Bnb.Formats.HuggingFace;
using Xunit;

namespace Bnb.Tool.Tests.Evaluating;

/// <summary>What a config says, leaves out or sets to null, against the config classes of transformers 5.</summary>
public class FamilySettingsTests
{
    [Theory]
    [InlineData("mistral", 4096)]
    [InlineData("gpt_oss", 128)]
    [InlineData("gemma2", 4096)]
    [InlineData("gemma3_text", 4096)]
    [InlineData("cohere2", 4096)]
    [InlineData("mixtral", null)]
    [InlineData("phi3", null)]
    [InlineData("starcoder2", null)]
    [InlineData("llama", null)]
    [InlineData("qwen2", null)]
    [InlineData("smollm3", null)]
    public void Describe_NoWindow_IsTheOneOfTheClass(string family, int? window) =>
        Assert.Equal(window, Describe(family).Layers[0].Attention.Shape.Window);

    [Theory]
    [InlineData("mistral")]
    [InlineData("gpt_oss")]
    public void Describe_WindowOfNull_IsNone(string family) =>
        Assert.All(Describe(family, """{"sliding_window": null}""").Layers, layer => Assert.Null(layer.Attention.Shape.Window));

    [Theory]
    [InlineData("{}", 50f, 30f)]
    [InlineData("""{"attn_logit_softcapping": null, "final_logit_softcapping": null}""", null, null)]
    [InlineData("""{"attn_logit_softcapping": 20.0, "final_logit_softcapping": 5.0}""", 20f, 5f)]
    public void Describe_Gemma2Caps_AreThoseOfTheClassOrTheConfig(string changes, float? scores, float? logits)
    {
        DecoderForm form = Describe("gemma2", changes);

        Assert.All(form.Layers, layer => Assert.Equal(scores, layer.Attention.Shape.SoftCap));
        Assert.Equal(logits, form.LogitCap);
    }

    [Theory]
    [InlineData("llama", 10000)]
    [InlineData("mixtral", 1000000)]
    [InlineData("smollm3", 2000000)]
    [InlineData("qwen2", 10000)]
    public void Describe_NoBase_IsTheOneOfTheClass(string family, double theta) => AssertBase(Describe(family).Layers[0], 8, theta);

    [Fact]
    public void Describe_Gemma3WithoutBases_HasOneForEachKindOfLayer()
    {
        DecoderForm form = Describe("gemma3_text", """{"sliding_window_pattern": 2, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}""");

        AssertBase(form.Layers[0], 128, 10000);
        Assert.Equal((float)(Math.Pow(1000000, -2 / 256.0) / 8), form.Layers[1].Attention.Rotary!.Frequencies[1], 1e-6);
        Assert.Equal([4096, null, 4096], form.Layers.Select(layer => layer.Attention.Shape.Window));
    }

    [Fact]
    public void Describe_GptOssWithoutRotarySettings_IsItsYarn()
    {
        // Dimensions of 32 and 1 rotations in 4096 positions, unrounded: 8.09 and 17.4 of the 32 pairs of a head of 64.
        RotaryForm rotary = Describe("gpt_oss").Layers[0].Attention.Rotary!;

        Assert.Equal((0.1 * Math.Log(32)) + 1, rotary.Factor, 1e-6);
        double low = 64 * Math.Log(4096 / (32 * 2 * Math.PI)) / (2 * Math.Log(150000)), high = 64 * Math.Log(4096 / (2 * Math.PI)) / (2 * Math.Log(150000));
        for (int i = 0; i < 32; i++)
        {
            double plain = Math.Pow(150000, -2 * i / 64.0), ramp = Math.Clamp((i - low) / (high - low), 0, 1);
            Assert.Equal((plain / 32 * ramp) + (plain * (1 - ramp)), rotary.Frequencies[i], plain * 1e-5);
        }
    }

    [Theory]
    [InlineData("stablelm", 1)]
    [InlineData("glm4", 32)]
    [InlineData("gpt_neox", 1)]
    [InlineData("phi3", 4)]
    public void Describe_NoRotatedShare_IsTheOneOfTheClass(string family, int pairs) =>
        Assert.Equal(pairs, Describe(family).Layers[0].Attention.Rotary!.Frequencies.Length);

    [Fact]
    public void Describe_OldNeoxNames_AreRead()
    {
        RotaryForm rotary = Describe("gpt_neox", """{"rotary_pct": 0.5, "rotary_emb_base": 500}""").Layers[0].Attention.Rotary!;

        Assert.Equal([1f, (float)Math.Pow(500, -0.5)], rotary.Frequencies);
    }

    [Fact]
    public void Describe_SettingsOfBothAges_TakesTheOlder()
    {
        DecoderForm form = Describe("llama", """
            {"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_theta": 500.0, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}
            """);

        Assert.Equal((float)(Math.Pow(500, -0.25) / 4), form.Layers[0].Attention.Rotary!.Frequencies[1], 1e-6);
    }

    [Fact]
    public void Describe_ProportionalRotation_LeavesThePairsBeyondTheShare()
    {
        DecoderForm form = Describe("llama", """
            {"rope_parameters": {"rope_type": "proportional", "rope_theta": 100.0, "partial_rotary_factor": 0.5, "factor": 2.0}}
            """);

        Assert.Equal([0.5f, (float)(Math.Pow(100, -0.25) / 2), 0, 0], form.Layers[0].Attention.Rotary!.Frequencies);
    }

    [Theory]
    [InlineData("""{"max_position_embeddings": 64, "original_max_position_embeddings": 16, "rope_scaling": {"type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 2, 2], "original_max_position_embeddings": 99}}""", 16, 4)]
    [InlineData("""{"original_max_position_embeddings": 16, "rope_scaling": {"type": "yarn", "short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 2, 2], "factor": 3.0}}""", 16, 3)]
    public void Describe_Phi3LongRope_TakesTheConfigsLengthAndTheSettingsFactor(string changes, double length, double factor)
    {
        RotaryForm rotary = Describe("phi3", changes).Layers[0].Attention.Rotary!;

        Assert.Equal(Math.Sqrt(1 + (Math.Log(factor) / Math.Log(length))), rotary.Factor, 1e-6);
        Assert.Equal(0.5f, rotary.Frequencies[0]);
    }

    [Fact]
    public void Describe_Llama3WithoutOriginalLength_TakesTheLargest()
    {
        const string Rope = """{"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0""";

        float[] said = Frequencies("{\"max_position_embeddings\": 999, \"rope_parameters\": " + Rope + ", \"original_max_position_embeddings\": 64}}");
        float[] unsaid = Frequencies("{\"max_position_embeddings\": 64, \"rope_parameters\": " + Rope + "}}");

        Assert.Equal(said, unsaid);

        static float[] Frequencies(string changes) => Describe("llama", changes).Layers[0].Attention.Rotary!.Frequencies;
    }

    [Fact]
    public void Describe_Qwen3MoeWithWindow_HasItInAllLayers() => Assert.All(
        Describe("qwen3_moe", """{"use_sliding_window": true, "sliding_window": 9, "max_window_layers": 2}""").Layers,
        layer => Assert.Equal(9, layer.Attention.Shape.Window));

    [Fact]
    public void Describe_Qwen2WithWindow_HasItFromALayerOn() => Assert.Equal(
        [null, 9, 9],
        Describe("qwen2", """{"use_sliding_window": true, "sliding_window": 9, "max_window_layers": 1}""").Layers.Select(layer => layer.Attention.Shape.Window));

    [Theory]
    [InlineData("""{"use_sliding_window": true, "sliding_window": 9, "no_rope_layer_interval": 2}""", null, 9, true, false)]
    [InlineData("""{"sliding_window": 9, "layer_types": ["sliding_attention", "full_attention", "full_attention"], "no_rope_layers": [0, 1, 0]}""", 9, null, false, true)]
    public void Describe_SmolLm3_HasWindowsAndPositionsWhereSaid(string changes, int? first, int? second, bool firstTurns, bool secondTurns)
    {
        IReadOnlyList<LayerForm> layers = Describe("smollm3", changes).Layers;

        Assert.Equal([first, second], layers.Take(2).Select(layer => layer.Attention.Shape.Window));
        Assert.Equal([firstTurns, secondTurns], layers.Take(2).Select(layer => layer.Attention.Rotary is not null));
    }

    [Fact]
    public void Describe_ScalesLeftOut_AreThoseOfTheClass()
    {
        Assert.Equal(0.0625f, Describe("cohere2").LogitScale);
        DecoderForm granite = Describe("granite");
        Assert.Equal((1f, 1f, 1f, 1f), (granite.EmbeddingScale, granite.LogitScale, granite.Layers[0].ResidualScale, granite.Layers[0].Attention.Shape.Scale));
        var mixture = (MixtureForm)Describe("deepseek_v3", """{"first_k_dense_replace": 0, "n_routed_experts": 16}""").Layers[0].FeedForward;
        Assert.Equal(new RouterRule(RouterScoring.Sigmoid, 8, Normalize: true, 2.5f, 8, 4), mixture.Rule);
        Assert.NotNull(mixture.Shared);
    }

    [Theory]
    [InlineData("qwen3", 128, 32)]
    [InlineData("gemma2", 256, 4)]
    [InlineData("glm4", 128, 2)]
    [InlineData("gpt_oss", 64, 8)]
    [InlineData("llama", 8, 32)]
    public void Describe_NoHeadSizes_AreThoseOfTheClass(string family, int width, int keyHeads)
    {
        AttentionShape shape = Describe(family, """{"num_attention_heads": 32, "hidden_size": 256}""").Layers[0].Attention.Shape;

        Assert.Equal((width, keyHeads), (shape.KeyWidth, shape.KeyHeads));
    }

    [Theory]
    [InlineData("llama", """{"is_causal": false}""", "is_causal false")]
    [InlineData("llama", """{"per_layer_config": {"0": {}}}""", "per_layer_config")]
    [InlineData("llama", """{"hidden_act": "xielu"}""", "hidden_act xielu")]
    [InlineData("llama", """{"rope_parameters": {"full_attention": {"rope_theta": 1.0}}}""", "rope_parameters")]
    [InlineData("llama", """{"rope_parameters": {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}}""", "partial_rotary_factor 0.5")]
    [InlineData("gemma2", """{"use_bidirectional_attention": true}""", "use_bidirectional_attention true")]
    [InlineData("qwen2", """{"use_sliding_window": true, "layer_types": ["chunked_attention", "full_attention", "full_attention"]}""", "layer_types chunked_attention")]
    public void Describe_WhatNoOperatorComputes_IsRefusedByName(string family, string changes, string named)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Describe(family, changes));

        Assert.Equal("MODEL-UNSUP", error.Code);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_Gemma_ReadsItsOwnNameOfTheActivationAlone()
    {
        var dense = (DenseForm)Describe("gemma2", """{"hidden_act": "relu", "hidden_activation": "gelu"}""").Layers[0].FeedForward;

        Assert.Equal(Activation.Gelu, dense.Activation);
    }

    private static void AssertBase(LayerForm layer, int pairs, double theta) =>
        Assert.Equal((float)Math.Pow(theta, -1.0 / pairs), layer.Attention.Rotary!.Frequencies[1], 1e-6);

    /// <summary>A model of three layers with heads of 8 channels where the class lets it choose.</summary>
    private static DecoderForm Describe(string family, string changes = "{}")
    {
        JsonObject config = new()
        {
            ["model_type"] = family,
            ["num_hidden_layers"] = 3,
            ["n_layer"] = 3,
            ["hidden_size"] = 64,
            ["num_attention_heads"] = 8,
            ["num_experts"] = 8,
        };
        if (family is "qwen2" or "stablelm" or "mixtral" or "smollm3" or "mistral" or "phi3") config["num_key_value_heads"] = 8;
        if (family is "llama" or "mixtral" or "qwen2" or "smollm3") config["head_dim"] = 8 * (changes == "{}" ? 2 : 1);
        foreach ((string name, JsonNode? value) in JsonNode.Parse(changes)!.AsObject()) config[name] = value?.DeepClone();
        return DecoderFamilies.Describe(ModelConfig.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()), "config.json"), "config.json", contextLength: 48);
    }
}
