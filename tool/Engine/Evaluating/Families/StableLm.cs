namespace Bnb.Engine.Evaluating.Families;

/// <summary>StableLM: layer norms with bias, partly rotated heads; some have both blocks in parallel after one norm.</summary>
internal static class StableLm
{
    public static DecoderForm Describe(ConfigReader config)
    {
        config.Require("qk_layernorm", expected: false, absent: false);
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth);
        bool parallel = config.Flag("use_parallel_residual", false);
        double epsilon = config.Number("layer_norm_eps");
        return Blocks.Decoder(config, new NormForm("model.norm", epsilon, NormKind.Layer), index =>
        {
            string layer = Blocks.Layer(index);
            AttentionForm form = Blocks.Attention(config, layer + ".self_attn", Blocks.Shape(config)) with { Rotary = rotary };
            var first = new NormForm(layer + ".input_layernorm", epsilon, NormKind.Layer);
            return new LayerForm(form, Blocks.Gated(config, layer + ".mlp", config.Intermediate))
            {
                BeforeAttention = first,
                BeforeFeedForward = parallel ? first : first with { Module = layer + ".post_attention_layernorm" },
                IsParallel = parallel,
            };
        });
    }
}
