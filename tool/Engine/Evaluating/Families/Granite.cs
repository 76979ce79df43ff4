namespace Bnb.Engine.Evaluating.Families;

/// <summary>Granite: Llama with four scales.</summary>
internal static class Granite
{
    public static DecoderForm Describe(ConfigReader config)
    {
        float scale = (float)config.Number("attention_multiplier"), residual = (float)config.Number("residual_multiplier");
        DecoderForm llama = Llama.Of(config, attention: (form, _, _) => form with { Shape = form.Shape with { Scale = scale } });
        return llama with
        {
            Layers = [.. llama.Layers.Select(layer => layer with { ResidualScale = residual })],
            EmbeddingScale = (float)config.Number("embedding_multiplier"),
            LogitScale = (float)(1 / config.Number("logits_scaling")),
        };
    }
}
