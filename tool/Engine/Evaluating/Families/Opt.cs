
namespace Bnb.Engine.Evaluating.Families;

/// <summary>OPT: learned positions that begin at row 2, layer norms before each block.</summary>
internal static class Opt
{
    /// <summary>Rows before the first position; what is left of a padding token.</summary>
    private const int Padding = 2;

    public static DecoderForm Describe(ConfigReader config)
    {
        config.Require("do_layer_norm_before", expected: true, absent: true);
        config.Require("layer_norm_elementwise_affine", expected: true, absent: true);
        if (config.OptionalSize("word_embed_proj_dim") is { } width && width != config.Hidden)
            throw config.Unsupported("word_embed_proj_dim", $"{width}, other than hidden_size");
        const double Epsilon = 1e-5;
        int positions = config.Size("max_position_embeddings") + Padding;
        NormForm? last = config.Flag("_remove_final_layer_norm", false) ? null : new NormForm("model.decoder.final_layer_norm", Epsilon, NormKind.Layer);
        return Blocks.Decoder(
            config,
            last,
            index =>
            {
                string layer = Blocks.Layer(index, "model.decoder.layers");
                return new LayerForm(
                    // Every query head has a key head of its own, whatever the config inherited.
                    Blocks.Attention(config, layer + ".self_attn", Blocks.Shape(config) with { KeyHeads = config.Heads }, "out_proj"),
                    Blocks.Plain(config, layer, config.Size("ffn_dim"), ".fc1", ".fc2"))
                {
                    BeforeAttention = new NormForm(layer + ".self_attn_layer_norm", Epsilon, NormKind.Layer),
                    BeforeFeedForward = new NormForm(layer + ".final_layer_norm", Epsilon, NormKind.Layer),
                };
            },
            "model.",
            "decoder.embed_tokens",
            tiedByDefault: true) with
        {
            Positions = new WeightUse("model.decoder.embed_positions.weight", positions, config.Hidden),
            FirstPosition = Padding,
        };
    }
}
