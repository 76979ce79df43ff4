
namespace Bnb.Engine.Evaluating.Families;

/// <summary>OLMo 2: norms after the blocks only, and of whole query and key projections.</summary>
internal static class Olmo2
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 50304, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
         "num_attention_heads": 32, "max_position_embeddings": 2048, "hidden_act": "silu", "rms_norm_eps": 1e-05}
        """;

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
