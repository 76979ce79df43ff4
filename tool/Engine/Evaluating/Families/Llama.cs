namespace Bnb.Engine.Evaluating.Families;

/// <summary>Llama, and with a sliding window in all layers Mistral.</summary>
internal static class Llama
{
    /// <summary>What Llama's class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
         "num_attention_heads": 32, "max_position_embeddings": 2048, "hidden_act": "silu", "rms_norm_eps": 1e-06}
        """;

    /// <summary>What Mistral's class takes for members that a config does not have.</summary>
    public const string MistralDefaults =
        """
        {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
         "num_attention_heads": 32, "max_position_embeddings": 131072, "num_key_value_heads": 8, "hidden_act": "silu",
         "rms_norm_eps": 1e-06, "sliding_window": 4096}
        """;

    public static DecoderForm Describe(ConfigReader config) => Of(config);

    public static DecoderForm DescribeMistral(ConfigReader config) => Of(config, _ => config.OptionalSize("sliding_window"));

    /// <param name="window">Of layer i.</param>
    /// <param name="attention">What a relative changes about the attention of layer i, whose module is the second text.</param>
    /// <param name="feedForward">Its feed-forward block, if another.</param>
    /// <param name="rotary">What its rotary embedding has of its own.</param>
    public static DecoderForm Of(
        ConfigReader config, Func<int, int?>? window = null, Func<AttentionForm, int, string, AttentionForm>? attention = null,
        Func<int, string, FeedForwardForm>? feedForward = null, RotaryRule? rotary = null)
    {
        RotaryForm form = RotarySettings.Read(config, config.HeadWidth, rotary);
        return Frame(
            config,
            (index, module) =>
            {
                AttentionForm own = Blocks.Attention(config, module, Blocks.Shape(config, window?.Invoke(index))) with { Rotary = form };
                return attention?.Invoke(own, index, module) ?? own;
            },
            feedForward);
    }

    /// <summary>RMS norms before both blocks, the second gated where no other is given.</summary>
    /// <param name="attention">Of layer i, whose module is the text.</param>
    /// <param name="feedForward">Of layer i, whose name is the text.</param>
    public static DecoderForm Frame(
        ConfigReader config, Func<int, string, AttentionForm> attention, Func<int, string, FeedForwardForm>? feedForward = null) =>
        Blocks.Decoder(config, Blocks.Rms(config, "model.norm"), index =>
        {
            string layer = Blocks.Layer(index);
            return new LayerForm(
                attention(index, layer + ".self_attn"),
                feedForward?.Invoke(index, layer) ?? Blocks.Gated(config, layer + ".mlp", config.Intermediate))
            {
                BeforeAttention = Blocks.Rms(config, layer + ".input_layernorm"),
                BeforeFeedForward = Blocks.Rms(config, layer + ".post_attention_layernorm"),
            };
        });
}
