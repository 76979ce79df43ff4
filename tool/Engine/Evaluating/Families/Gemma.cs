
namespace Bnb.Engine.Evaluating.Families;

/// <summary>Gemma 2 and 3: norms before and after each block, weights counted from 1, scaled embeddings, windows in most layers.
/// Gemma 2 caps scores and logits; Gemma 3 norms heads and rotates local layers differently.</summary>
internal static class Gemma
{
    /// <summary>What Gemma 2's class takes for members that a config does not have.</summary>
    public const string Defaults2 =
        """
        {"vocab_size": 256000, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8,
         "max_position_embeddings": 8192, "num_key_value_heads": 4, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
         "rms_norm_eps": 1e-06, "query_pre_attn_scalar": 256, "sliding_window": 4096, "final_logit_softcapping": 30.0,
         "attn_logit_softcapping": 50.0}
        """;

    /// <summary>What Gemma 3's text class takes for members that a config does not have.</summary>
    public const string Defaults3 =
        """
        {"vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8,
         "max_position_embeddings": 131072, "num_key_value_heads": 4, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
         "rms_norm_eps": 1e-06, "query_pre_attn_scalar": 256, "sliding_window": 4096, "sliding_window_pattern": 6,
         "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0}
        """;

    public static DecoderForm Describe2(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth);
        return Of(config, index => index % 2 == 0, (form, _, _) => form with { Rotary = rotary });
    }

    public static DecoderForm Describe3(ConfigReader config)
    {
        RotaryForm full = RotarySettings.ReadFull(config, config.HeadWidth), local = RotarySettings.ReadLocal(config, config.HeadWidth);
        int pattern = config.Size("sliding_window_pattern", "_sliding_window_pattern");
        return Of(config, index => (index + 1) % pattern != 0, (form, sliding, module) => form with
        {
            Rotary = sliding ? local : full,
            Norms = Blocks.HeadNorms(module, config.Number("rms_norm_eps"), NormKind.RmsFromOne),
        });
    }

    private static DecoderForm Of(ConfigReader config, Func<int, bool> isLocal, Func<AttentionForm, bool, string, AttentionForm> attention)
    {
        config.Require("use_bidirectional_attention", expected: false, absent: false);
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
                return new LayerForm(
                    attention(form, sliding, module),
                    Blocks.Gated(config, layer + ".mlp", config.Intermediate, activation: "hidden_activation"))
                {
                    BeforeAttention = Norm(layer + ".input_layernorm"),
                    AfterAttention = Norm(layer + ".post_attention_layernorm"),
                    BeforeFeedForward = Norm(layer + ".pre_feedforward_layernorm"),
                    AfterFeedForward = Norm(layer + ".post_feedforward_layernorm"),
                };
            }) with
        {
            EmbeddingScale = (float)Math.Sqrt(config.Hidden),
            LogitCap = (float?)config.OptionalNumber("final_logit_softcapping"),
        };

        NormForm Norm(string module) => new(module, config.Number("rms_norm_eps"), NormKind.RmsFromOne);
    }
}
