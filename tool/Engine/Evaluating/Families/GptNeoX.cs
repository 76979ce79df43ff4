namespace Bnb.Engine.Evaluating.Families;

/// <summary>GPT-NeoX and Pythia: fused projections head by head, partly rotated heads, both blocks in parallel after norms of
/// their own.</summary>
internal static class GptNeoX
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 50432, "hidden_size": 6144, "intermediate_size": 24576, "num_hidden_layers": 44,
         "num_attention_heads": 64, "max_position_embeddings": 2048, "hidden_act": "gelu", "layer_norm_eps": 1e-05,
         "rotary_pct": 0.25}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(
            config, config.Hidden / config.Heads, new RotaryRule { IsPartial = true, Theta = "rotary_emb_base", Share = "rotary_pct" });
        bool parallel = config.Flag("use_parallel_residual", true);
        double epsilon = config.Number("layer_norm_eps");
        int width = config.Hidden / config.Heads;
        // Every query head has a key head of its own, whatever the config inherited.
        var shape = new Operators.AttentionShape(config.Heads, config.Heads, width, width, (float)(1 / Math.Sqrt(width)), null, null);
        return Blocks.Decoder(
            config,
            new NormForm("gpt_neox.final_layer_norm", epsilon, NormKind.Layer),
            index =>
            {
                string layer = Blocks.Layer(index, "gpt_neox.layers"), module = layer + ".attention";
                var form = new AttentionForm(
                    shape,
                    new FusedProjections(LinearForm.Of(module + ".query_key_value", 3 * config.Hidden, config.Hidden), IsPerHead: true),
                    LinearForm.Of(module + ".dense", config.Hidden, config.Hidden))
                { Rotary = rotary };
                return new LayerForm(form, Blocks.Plain(config, layer + ".mlp", config.Intermediate, ".dense_h_to_4h", ".dense_4h_to_h"))
                {
                    BeforeAttention = new NormForm(layer + ".input_layernorm", epsilon, NormKind.Layer),
                    BeforeFeedForward = new NormForm(layer + ".post_attention_layernorm", epsilon, NormKind.Layer),
                    IsParallel = parallel,
                };
            },
            "gpt_neox.",
            "embed_in",
            "embed_out") with
        { OtherHead = LinearForm.Of("lm_head", config.Vocabulary, config.Hidden) };
    }
}
