namespace Bnb.Engine.Evaluating.Families;

/// <summary>GLM-4: norms before and after each block, a fused gate, half of each head rotated in pairs of neighbours.</summary>
internal static class Glm4
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 151552, "hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 40,
         "num_attention_heads": 32, "max_position_embeddings": 131072, "num_key_value_heads": 2, "head_dim": 128,
         "hidden_act": "silu", "rms_norm_eps": 1.5625e-07, "partial_rotary_factor": 0.5}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth, new RotaryRule { IsInterleaved = true, IsPartial = true });
        return Blocks.Decoder(config, Blocks.Rms(config, "model.norm"), index =>
        {
            string layer = Blocks.Layer(index);
            AttentionForm form = Blocks.Attention(config, layer + ".self_attn", Blocks.Shape(config)) with { Rotary = rotary };
            return new LayerForm(form, Blocks.FusedGated(config, layer + ".mlp", config.Intermediate))
            {
                BeforeAttention = Blocks.Rms(config, layer + ".input_layernorm"),
                AfterAttention = Blocks.Rms(config, layer + ".post_self_attn_layernorm"),
                BeforeFeedForward = Blocks.Rms(config, layer + ".post_attention_layernorm"),
                AfterFeedForward = Blocks.Rms(config, layer + ".post_mlp_layernorm"),
            };
        });
    }
}
