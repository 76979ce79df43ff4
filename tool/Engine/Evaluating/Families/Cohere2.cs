
namespace Bnb.Engine.Evaluating.Families;

/// <summary>Command R7B: attention and feed-forward in parallel after one layer norm without bias; positions, in pairs of
/// neighbours, only where there is a window.</summary>
internal static class Cohere2
{
    private const int FullPattern = 4;

    public static DecoderForm Describe(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth, interleaved: true);
        int pattern = config.OptionalSize("sliding_window_pattern", "_sliding_window_pattern") ?? FullPattern;
        double epsilon = config.Number("layer_norm_eps");
        return Blocks.Decoder(
            config,
            new NormForm("model.norm", epsilon, NormKind.Layer),
            index =>
            {
                string layer = Blocks.Layer(index);
                bool sliding = Blocks.IsSliding(config, index, i => (i + 1) % pattern != 0);
                AttentionForm form = Blocks.Attention(
                    config, layer + ".self_attn", Blocks.Shape(config, sliding ? config.Size("sliding_window") : null));
                var norm = new NormForm(layer + ".input_layernorm", epsilon, NormKind.Layer);
                return new LayerForm(form with { Rotary = sliding ? rotary : null }, Blocks.Gated(config, layer + ".mlp", config.Intermediate))
                {
                    BeforeAttention = norm,
                    BeforeFeedForward = norm,
                    IsParallel = true,
                };
            },
            tiedByDefault: true) with
        { LogitScale = (float)(config.OptionalNumber("logit_scale") ?? 1) };
    }
}
