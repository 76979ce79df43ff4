namespace Bnb.Engine.Evaluating.Families;

/// <summary>Granite: Llama with four scales.</summary>
internal static class Granite
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
         "num_attention_heads": 32, "max_position_embeddings": 2048, "hidden_act": "silu", "rms_norm_eps": 1e-06,
         "embedding_multiplier": 1.0, "logits_scaling": 1.0, "residual_multiplier": 1.0, "attention_multiplier": 1.0}
        """;

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
