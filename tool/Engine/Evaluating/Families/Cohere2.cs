
namespace Bnb.Engine.Evaluating.Families;

/// <summary>Command R7B: attention and feed-forward in parallel after one layer norm without bias; positions, in pairs of
/// neighbours, only where there is a window.</summary>
internal static class Cohere2
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 256000, "hidden_size": 8192, "intermediate_size": 22528, "num_hidden_layers": 40,
         "num_attention_heads": 64, "max_position_embeddings": 8192, "hidden_act": "silu", "layer_norm_eps": 1e-05,
         "logit_scale": 0.0625, "sliding_window": 4096, "sliding_window_pattern": 4}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth, new RotaryRule { IsInterleaved = true });
        int pattern = config.Size("sliding_window_pattern", "_sliding_window_pattern");
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
            }) with
        { LogitScale = (float)config.Number("logit_scale") };
    }
}
