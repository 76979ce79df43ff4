using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>Qwen2 (biases on queries, keys and values), Qwen3 (norms of heads), Qwen3-MoE.</summary>
internal static class Qwen
{
    /// <summary>What Qwen2's class takes for members that a config does not have.</summary>
    public const string Defaults2 =
        """
        {"vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
         "num_attention_heads": 32, "max_position_embeddings": 32768, "num_key_value_heads": 32, "max_window_layers": 28,
         "hidden_act": "silu", "rms_norm_eps": 1e-06, "sliding_window": 4096}
        """;

    /// <summary>What Qwen3's class takes for members that a config does not have.</summary>
    public const string Defaults3 =
        """
        {"vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
         "num_attention_heads": 32, "max_position_embeddings": 32768, "num_key_value_heads": 32, "head_dim": 128,
         "max_window_layers": 28, "hidden_act": "silu", "rms_norm_eps": 1e-06, "sliding_window": 4096}
        """;

    /// <summary>What Qwen3-MoE's class takes for members that a config does not have.</summary>
    public const string Defaults3Mixture =
        """
        {"vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 24,
         "num_attention_heads": 32, "max_position_embeddings": 32768, "num_key_value_heads": 4, "moe_intermediate_size": 768,
         "num_experts_per_tok": 8, "num_experts": 128, "decoder_sparse_step": 1, "hidden_act": "silu", "rms_norm_eps": 1e-06,
         "sliding_window": 4096}
        """;

    public static DecoderForm Describe2(ConfigReader config) => Llama.Of(config, index => Window(config, index));

    public static DecoderForm Describe3(ConfigReader config) => Llama.Of(config, index => Window(config, index), HeadNorms(config));

    public static DecoderForm Describe3Mixture(ConfigReader config)
    {
        int experts = config.Size("num_experts", "num_local_experts"), step = config.Size("decoder_sparse_step");
        HashSet<double> dense = [.. config.Numbers("mlp_only_layers") ?? []];
        var rule = new RouterRule(RouterScoring.Softmax, config.Size("num_experts_per_tok"), config.Flag("norm_topk_prob", false));
        // No list of layers here: one window for all.
        return Llama.Of(config, _ => UsesWindow(config) ? config.OptionalSize("sliding_window") : null, HeadNorms(config), (index, layer) =>
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

    private static bool UsesWindow(ConfigReader config) => config.Flag("use_sliding_window", absent: false);

    private static int? Window(ConfigReader config, int index) =>
        UsesWindow(config) ? Blocks.Window(config, index, layer => layer >= config.Count("max_window_layers")) : null;
}
