using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>Mixtral: Mistral with experts, weighted by a softmax over the chosen ones.</summary>
internal static class Mixtral
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
         "num_attention_heads": 32, "max_position_embeddings": 131072, "num_key_value_heads": 8, "hidden_act": "silu",
         "rms_norm_eps": 1e-05, "num_experts_per_tok": 2, "num_local_experts": 8, "rope_theta": 1000000.0}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        int experts = config.Size("num_local_experts", "num_experts");
        var rule = new RouterRule(RouterScoring.Softmax, config.Size("num_experts_per_tok"), Normalize: true);
        return Llama.Of(config, _ => config.OptionalSize("sliding_window"), feedForward: (_, layer) => new MixtureForm(
            LinearForm.Of(layer + ".block_sparse_moe.gate", experts, config.Hidden),
            rule,
            [.. Enumerable.Range(0, experts).Select(expert =>
                Blocks.Gated(config, $"{layer}.block_sparse_moe.experts.{expert}", config.Intermediate, "w1", "w3", "w2"))]));
    }
}
