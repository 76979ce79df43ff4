namespace Bnb.Engine.Evaluating.Families;

/// <summary>SmolLM3: Llama without positions in every fourth layer, where it may have a window.</summary>
internal static class SmolLm3
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
         "num_attention_heads": 16, "max_position_embeddings": 32768, "num_key_value_heads": 4, "hidden_act": "silu",
         "rms_norm_eps": 1e-06, "rope_theta": 2000000.0, "no_rope_layer_interval": 4}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        IReadOnlyList<double>? rotated = config.Numbers("no_rope_layers");
        int interval = config.Size("no_rope_layer_interval");
        bool windows = config.Flag("use_sliding_window", absent: false);
        // Layers that are listed as sliding have a window whatever the flag says.
        return Llama.Of(
            config,
            index => Blocks.Window(config, index, i => windows && !IsRotated(i)),
            (form, index, _) => IsRotated(index) ? form : form with { Rotary = null });

        // The list's name notwithstanding, a 1 in it is a layer with positions.
        bool IsRotated(int index) => rotated is null
            ? (index + 1) % interval != 0
            : index < rotated.Count ? rotated[index] != 0 : throw config.Unsupported("no_rope_layers", $"of {rotated.Count} layers");
    }
}
