namespace Bnb.Engine.Evaluating.Families;

/// <summary>Phi-3: Llama with fused projections and partly rotated heads.</summary>
internal static class Phi3
{
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
            (_, layer) => Blocks.FusedGated(config, layer + ".mlp", config.Intermediate));
    }
}
