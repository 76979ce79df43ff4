using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>Mixtral: Mistral with experts, weighted by a softmax over the chosen ones.</summary>
internal static class Mixtral
{
    public static DecoderForm Describe(ConfigReader config)
    {
        int experts = config.Size("num_local_experts");
        var rule = new RouterRule(RouterScoring.Softmax, config.Size("num_experts_per_tok"), Normalize: true);
        return Llama.Of(config, _ => config.OptionalSize("sliding_window"), feedForward: (_, layer) => new MixtureForm(
            LinearForm.Of(layer + ".block_sparse_moe.gate", experts, config.Hidden),
            rule,
            [.. Enumerable.Range(0, experts).Select(expert =>
                Blocks.Gated(config, $"{layer}.block_sparse_moe.experts.{expert}", config.Intermediate, "w1", "w3", "w2"))]));
    }
}
