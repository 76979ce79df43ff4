
namespace Bnb.Engine.Evaluating.Families;

/// <summary>Gemma 2 and 3: norms before and after each block, weights counted from 1, scaled embeddings, windows in most layers.
/// Gemma 2 caps scores and logits; Gemma 3 norms heads and rotates local layers differently.</summary>
internal static class Gemma
{
    private const int LocalPattern = 6;

    public static DecoderForm Describe2(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth);
        return Of(config, index => index % 2 == 0, (form, _, _) => form with { Rotary = rotary });
    }

    public static DecoderForm Describe3(ConfigReader config)
    {
        config.Require("use_bidirectional_attention", expected: false, absent: false);
        RotaryForm full = RotarySettings.Read(config, config.HeadWidth, layerType: "full_attention");
        RotaryForm local = config.Has("rope_parameters")
            ? RotarySettings.Read(config, config.HeadWidth, layerType: "sliding_attention")
            : RotarySettings.Unscaled(config.HeadWidth, config.OptionalNumber("rope_local_base_freq") ?? 10000);
        int pattern = config.OptionalSize("sliding_window_pattern", "_sliding_window_pattern") ?? LocalPattern;
        return Of(config, index => (index + 1) % pattern != 0, (form, sliding, module) => form with
        {
            Rotary = sliding ? local : full,
            Norms = Blocks.HeadNorms(module, config.Number("rms_norm_eps"), NormKind.RmsFromOne),
        });
    }

    private static DecoderForm Of(ConfigReader config, Func<int, bool> isLocal, Func<AttentionForm, bool, string, AttentionForm> attention)
    {
        float scale = (float)(1 / Math.Sqrt(config.Number("query_pre_attn_scalar")));
        float? scoreCap = (float?)config.OptionalNumber("attn_logit_softcapping");
        return Blocks.Decoder(
            config,
            Norm("model.norm"),
            index =>
            {
                string layer = Blocks.Layer(index), module = layer + ".self_attn";
                bool sliding = Blocks.IsSliding(config, index, isLocal);
                AttentionForm form = Blocks.Attention(
                    config, module, Blocks.Shape(config, sliding ? config.Size("sliding_window") : null) with { Scale = scale, SoftCap = scoreCap });
                return new LayerForm(attention(form, sliding, module), Blocks.Gated(config, layer + ".mlp", config.Intermediate))
                {
                    BeforeAttention = Norm(layer + ".input_layernorm"),
                    AfterAttention = Norm(layer + ".post_attention_layernorm"),
                    BeforeFeedForward = Norm(layer + ".pre_feedforward_layernorm"),
                    AfterFeedForward = Norm(layer + ".post_feedforward_layernorm"),
                };
            },
            tiedByDefault: true) with
        {
            EmbeddingScale = (float)Math.Sqrt(config.Hidden),
            LogitCap = (float?)config.OptionalNumber("final_logit_softcapping"),
        };

        NormForm Norm(string module) => new(module, config.Number("rms_norm_eps"), NormKind.RmsFromOne);
    }
}
