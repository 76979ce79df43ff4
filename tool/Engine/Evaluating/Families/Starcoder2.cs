namespace Bnb.Engine.Evaluating.Families;

/// <summary>StarCoder2: layer norms and linear layers with bias, a feed-forward block without gate, a window in all layers.</summary>
internal static class Starcoder2
{
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
            },
            tiedByDefault: true);
    }
}
