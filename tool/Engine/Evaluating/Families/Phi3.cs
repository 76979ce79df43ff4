namespace Bnb.Engine.Evaluating.Families;

/// <summary>Phi-3: Llama with fused projections and partly rotated heads.</summary>
internal static class Phi3
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 32064, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32, "num_attention_heads": 32,
         "max_position_embeddings": 4096, "hidden_act": "silu", "rms_norm_eps": 1e-05, "original_max_position_embeddings": 4096}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        int width = config.HeadWidth, rows = (config.Heads + (2 * config.KeyHeads)) * width;
        return Llama.Of(
            config,
            _ => config.OptionalSize("sliding_window"),
            (form, _, module) => form with
            {
                Projections = new FusedProjections(LinearForm.Of(module + ".qkv_proj", rows, config.Hidden), IsPerHead: false),
            },
            (_, layer) => Blocks.FusedGated(config, layer + ".mlp", config.Intermediate),
            new RotaryRule { IsPartial = true, IsYarnLongRope = true });
    }
}
