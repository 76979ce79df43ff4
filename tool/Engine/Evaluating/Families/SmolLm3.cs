namespace Bnb.Engine.Evaluating.Families;

/// <summary>SmolLM3: Llama without positions in every fourth layer.</summary>
internal static class SmolLm3
{
    private const int PlainInterval = 4;

    public static DecoderForm Describe(ConfigReader config)
    {
        IReadOnlyList<double>? rotated = config.Numbers("no_rope_layers");
        int interval = config.OptionalSize("no_rope_layer_interval") ?? PlainInterval;
        return Llama.Of(
            config,
            index => config.Flag("use_sliding_window", false) ? Blocks.Window(config, index, i => !IsRotated(i)) : null,
            (form, index, _) => IsRotated(index) ? form : form with { Rotary = null });

        // The list's name notwithstanding, a 1 in it is a layer with positions.
        bool IsRotated(int index) => rotated is not null && index < rotated.Count ? rotated[index] != 0 : (index + 1) % interval != 0;
    }
}
