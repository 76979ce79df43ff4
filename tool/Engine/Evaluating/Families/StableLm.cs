namespace Bnb.Engine.Evaluating.Families;

/// <summary>StableLM: layer norms with bias, partly rotated heads; some have both blocks in parallel after one norm, some a norm for each head.</summary>
internal static class StableLm
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 50304, "hidden_size": 2560, "intermediate_size": 6912, "num_hidden_layers": 32, "num_attention_heads": 32,
         "max_position_embeddings": 4096, "num_key_value_heads": 32, "hidden_act": "silu", "layer_norm_eps": 1e-05,
         "partial_rotary_factor": 0.25}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        RotaryForm rotary = RotarySettings.Read(config, config.HeadWidth, new RotaryRule { IsPartial = true });
        bool parallel = config.Flag("use_parallel_residual", absent: false), norms = config.Flag("qk_layernorm", absent: false);
        double epsilon = config.Number("layer_norm_eps");
        return Blocks.Decoder(config, new NormForm("model.norm", epsilon, NormKind.Layer), index =>
        {
            string layer = Blocks.Layer(index), module = layer + ".self_attn";
            AttentionForm form = Blocks.Attention(config, module, Blocks.Shape(config)) with
            {
                Rotary = rotary,
                Norms = norms
                    ? new QueryKeyNorms(Heads(module + ".q_layernorm", config.Heads), Heads(module + ".k_layernorm", config.KeyHeads), IsPerHead: true)
                    : null,
            };
            var first = new NormForm(layer + ".input_layernorm", epsilon, NormKind.Layer);
            return new LayerForm(form, Blocks.Gated(config, layer + ".mlp", config.Intermediate))
            {
                BeforeAttention = first,
                BeforeFeedForward = parallel ? first : first with { Module = layer + ".post_attention_layernorm" },
                IsParallel = parallel,
            };
        });

        IReadOnlyList<NormForm> Heads(string module, int count) =>
            [.. Enumerable.Range(0, count).Select(head => new NormForm($"{module}.norms.{head}", epsilon, NormKind.Layer))];
    }
}
