
namespace Bnb.Engine.Evaluating.Families;

/// <summary>OLMo 2: norms after the blocks only, and of whole query and key projections.</summary>
internal static class Olmo2
{
    public static DecoderForm Describe(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth);
        return Blocks.Decoder(config, Blocks.Rms(config, "model.norm"), index =>
        {
            string layer = Blocks.Layer(index), module = layer + ".self_attn";
            AttentionForm form = Blocks.Attention(config, module, Blocks.Shape(config)) with
            {
                Rotary = rotary,
                Norms = Blocks.HeadNorms(module, config.Number("rms_norm_eps"), NormKind.Rms) with { IsPerHead = false },
            };
            return new LayerForm(form, Blocks.Gated(config, layer + ".mlp", config.Intermediate))
            {
                AfterAttention = Blocks.Rms(config, layer + ".post_attention_layernorm"),
                AfterFeedForward = Blocks.Rms(config, layer + ".post_feedforward_layernorm"),
            };
        });
    }
}
