namespace Bnb.Engine.Evaluating.Families;

/// <summary>StarCoder2: layer norms and linear layers with bias, a feed-forward block without gate, a window in all layers.</summary>
internal static class Starcoder2
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 49152, "hidden_size": 3072, "intermediate_size": 12288, "num_hidden_layers": 30,
         "num_attention_heads": 24, "max_position_embeddings": 4096, "num_key_value_heads": 2, "hidden_act": "gelu_pytorch_tanh",
         "norm_epsilon": 1e-05}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth);
        double epsilon = config.Number("norm_epsilon");
        return Blocks.Decoder(
            config,
            new NormForm("model.norm", epsilon, NormKind.Layer),
            index =>
            {
                string layer = Blocks.Layer(index);
                AttentionForm form = Blocks.Attention(
                    config, layer + ".self_attn", Blocks.Shape(config, config.OptionalSize("sliding_window"))) with
                { Rotary = rotary };
                return new LayerForm(form, Blocks.Plain(config, layer + ".mlp", config.Intermediate, ".c_fc", ".c_proj"))
                {
                    BeforeAttention = new NormForm(layer + ".input_layernorm", epsilon, NormKind.Layer),
                    BeforeFeedForward = new NormForm(layer + ".post_attention_layernorm", epsilon, NormKind.Layer),
                };
            });
    }
}
