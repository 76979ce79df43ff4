namespace Bnb.Engine.Evaluating.Families;

/// <summary>GLM-4: norms before and after each block, a fused gate, half of each head rotated in pairs of neighbours.</summary>
internal static class Glm4
{
    public static DecoderForm Describe(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth, interleaved: true);
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
