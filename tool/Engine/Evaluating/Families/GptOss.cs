using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>gpt_oss: sinks, windows in every other layer, fused experts with interleaved and clipped gates.</summary>
internal static class GptOss
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 201088, "hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": 36,
         "num_attention_heads": 64, "max_position_embeddings": 131072, "num_key_value_heads": 8, "head_dim": 64,
         "hidden_act": "silu", "rms_norm_eps": 1e-05, "num_local_experts": 128, "num_experts_per_tok": 4, "sliding_window": 128,
         "swiglu_alpha": 1.702, "swiglu_limit": 7.0, "rope_theta": 150000.0,
         "rope_parameters": {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false, "original_max_position_embeddings": 4096}}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        int experts = config.Size("num_local_experts", "num_experts"), hidden = config.Hidden, width = config.Intermediate;
        // A softmax over the chosen logits alone is the normalized softmax over all.
        var rule = new RouterRule(RouterScoring.Softmax, config.Size("num_experts_per_tok"), Normalize: true);
        (float Alpha, float Limit) clip = ((float)config.Number("swiglu_alpha"), (float)config.Number("swiglu_limit"));
        return Llama.Of(
            config,
            index => Blocks.Window(config, index, i => i % 2 == 0),
            (form, _, module) => form with { Sinks = WeightUse.Vector(module + ".sinks", config.Heads) },
            (_, layer) => new MixtureForm(
                LinearForm.Of(layer + ".mlp.router", experts, hidden),
                rule,
                [.. Enumerable.Range(0, experts).Select(expert => new DenseForm(
                    Fused(layer + ".mlp.experts.gate_up_proj", expert, 2 * width, hidden),
                    Fused(layer + ".mlp.experts.down_proj", expert, hidden, width),
                    Activation.Silu,
                    Gating.EvenRows) { Clip = clip })]));
    }

    /// <summary>One expert of a tensor [experts, inputs, outputs] with its row of biases.</summary>
    private static LinearForm Fused(string name, int expert, int outputs, int inputs) => new(
        new WeightUse(name, outputs, inputs) { InputsFirst = true, Index = expert },
        new WeightUse(name + "_bias", outputs, 1) { Index = expert });
}
