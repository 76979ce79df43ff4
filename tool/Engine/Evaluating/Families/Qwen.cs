using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>Qwen2 (biases on queries, keys and values), Qwen3 (norms of heads), Qwen3-MoE.</summary>
internal static class Qwen
{
    public static DecoderForm Describe2(ConfigReader config) => Llama.Of(config, index => Window(config, index));

    public static DecoderForm Describe3(ConfigReader config) => Llama.Of(config, index => Window(config, index), HeadNorms(config));

    public static DecoderForm Describe3Mixture(ConfigReader config)
    {
        int experts = config.Size("num_experts", "num_local_experts"), step = config.OptionalSize("decoder_sparse_step") ?? 1;
        HashSet<double> dense = [.. config.Numbers("mlp_only_layers") ?? []];
        var rule = new RouterRule(RouterScoring.Softmax, config.Size("num_experts_per_tok"), config.Flag("norm_topk_prob", false));
        return Llama.Of(config, index => Window(config, index), HeadNorms(config), (index, layer) =>
            dense.Contains(index) || (index + 1) % step != 0
                ? Blocks.Gated(config, layer + ".mlp", config.Intermediate)
                : new MixtureForm(
                    LinearForm.Of(layer + ".mlp.gate", experts, config.Hidden),
                    rule,
                    [.. Enumerable.Range(0, experts).Select(expert =>
                        Blocks.Gated(config, $"{layer}.mlp.experts.{expert}", config.Size("moe_intermediate_size")))]));
    }

    private static Func<AttentionForm, int, string, AttentionForm> HeadNorms(ConfigReader config) => (form, _, module) =>
        form with { Norms = Blocks.HeadNorms(module, config.Number("rms_norm_eps"), NormKind.Rms) };

    private static int? Window(ConfigReader config, int index) => !config.Flag("use_sliding_window", false)
        ? null
        : Blocks.Window(config, index, layer => layer >= (config.OptionalSize("max_window_layers") ?? 28));
}
