using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>gpt_oss: sinks, windows in every other layer, fused experts with interleaved and clipped gates.</summary>
internal static class GptOss
{
    public static DecoderForm Describe(ConfigReader config)
    {
        int experts = config.Size("num_local_experts"), hidden = config.Hidden, width = config.Intermediate;
        // A softmax over the chosen logits alone is the normalized softmax over all.
        var rule = new RouterRule(RouterScoring.Softmax, config.Size("num_experts_per_tok"), Normalize: true);
        (float Alpha, float Limit) clip = ((float)(config.OptionalNumber("swiglu_alpha") ?? 1.702), (float)(config.OptionalNumber("swiglu_limit") ?? 7));
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
