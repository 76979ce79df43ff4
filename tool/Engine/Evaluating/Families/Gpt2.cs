using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>GPT-2: learned positions, fused projections, weights with inputs first.</summary>
internal static class Gpt2
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12, "activation_function": "gelu_new",
         "layer_norm_epsilon": 1e-05}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        int hidden = config.Hidden, width = hidden / config.Heads, inner = config.OptionalSize("n_inner") ?? (4 * hidden);
        bool scaled = config.Flag("scale_attn_weights", true), byLayer = config.Flag("scale_attn_by_inverse_layer_idx", false);
        double epsilon = config.Number("layer_norm_epsilon");
        return Blocks.Decoder(
            config,
            new NormForm("transformer.ln_f", epsilon, NormKind.Layer),
            index =>
            {
                string layer = Blocks.Layer(index, "transformer.h");
                double scale = (scaled ? 1 / Math.Sqrt(width) : 1) / (byLayer ? index + 1 : 1);
                var attention = new AttentionForm(
                    new AttentionShape(config.Heads, config.Heads, width, width, (float)scale, null, null),
                    new FusedProjections(LinearForm.Conv1D(layer + ".attn.c_attn", 3 * hidden, hidden), IsPerHead: false),
                    LinearForm.Conv1D(layer + ".attn.c_proj", hidden, hidden));
                var feedForward = new DenseForm(
                    LinearForm.Conv1D(layer + ".mlp.c_fc", inner, hidden),
                    LinearForm.Conv1D(layer + ".mlp.c_proj", hidden, inner),
                    config.Activation("activation_function"),
                    Gating.None);
                return new LayerForm(attention, feedForward)
                {
                    BeforeAttention = new NormForm(layer + ".ln_1", epsilon, NormKind.Layer),
                    BeforeFeedForward = new NormForm(layer + ".ln_2", epsilon, NormKind.Layer),
                };
            },
            "transformer.",
            "wte") with
        {
            Positions = new WeightUse("transformer.wpe.weight", config.Size("n_positions", "max_position_embeddings"), hidden),
        };
    }
}
