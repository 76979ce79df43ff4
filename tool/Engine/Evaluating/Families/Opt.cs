using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>OPT: learned positions that begin at row 2, layer norms before each block. The one of 350 million parameters norms the sums
/// instead, and has narrower embeddings.</summary>
internal static class Opt
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 50272, "hidden_size": 768, "num_hidden_layers": 12, "ffn_dim": 3072, "max_position_embeddings": 2048,
         "num_attention_heads": 12, "activation_function": "relu"}
        """;

    /// <summary>Rows before the first position; what is left of a padding token.</summary>
    private const int Padding = 2;

    private const double Epsilon = 1e-5;

    public static DecoderForm Describe(ConfigReader config)
    {
        bool before = config.Flag("do_layer_norm_before", absent: true), affine = config.Flag("layer_norm_elementwise_affine", absent: true);
        bool last = before && !config.Flag("_remove_final_layer_norm", absent: false);
        int hidden = config.Hidden, width = config.OptionalSize("word_embed_proj_dim") ?? hidden;
        return Blocks.Decoder(
            config,
            last ? Norm("model.decoder.final_layer_norm") : null,
            index =>
            {
                string layer = Blocks.Layer(index, "model.decoder.layers");
                NormForm first = Norm(layer + ".self_attn_layer_norm"), second = Norm(layer + ".final_layer_norm");
                return new LayerForm(
                    Blocks.Attention(config, layer + ".self_attn", Shape(config), "out_proj"),
                    Blocks.Plain(config, layer, config.Size("ffn_dim"), ".fc1", ".fc2", "activation_function"))
                {
                    BeforeAttention = before ? first : null,
                    BeforeFeedForward = before ? second : null,
                    AfterAttentionSum = before ? null : first,
                    AfterFeedForwardSum = before ? null : second,
                };
            },
            "model.",
            "decoder.embed_tokens",
            embeddingWidth: width) with
        {
            Positions = new WeightUse("model.decoder.embed_positions.weight", config.Size("max_position_embeddings") + Padding, hidden),
            FirstPosition = Padding,
            ProjectIn = width == hidden ? null : LinearForm.Of("model.decoder.project_in", hidden, width),
            ProjectOut = width == hidden ? null : LinearForm.Of("model.decoder.project_out", width, hidden),
        };

        NormForm Norm(string module) => new(module, Epsilon, NormKind.Layer) { IsPlain = !affine };
    }

    /// <summary>Every query head has a key head of its own, whatever the config inherited.</summary>
    private static AttentionShape Shape(ConfigReader config)
    {
        int width = config.Hidden / config.Heads;
        return new AttentionShape(config.Heads, config.Heads, width, width, (float)(1 / Math.Sqrt(width)), Window: null, SoftCap: null);
    }
}
