using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>DeepSeek V3: latent attention, experts chosen by corrected sigmoids from the best groups, a shared expert.</summary>
internal static class DeepseekV3
{
    /// <summary>What the class takes for members that a config does not have.</summary>
    public const string Defaults =
        """
        {"vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432, "num_hidden_layers": 61,
         "num_attention_heads": 128, "max_position_embeddings": 4096, "moe_intermediate_size": 2048, "n_shared_experts": 1,
         "n_routed_experts": 256, "routed_scaling_factor": 2.5, "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64,
         "v_head_dim": 128, "qk_nope_head_dim": 128, "n_group": 8, "topk_group": 4, "num_experts_per_tok": 8,
         "first_k_dense_replace": 3, "hidden_act": "silu", "rms_norm_eps": 1e-06}
        """;

    public static DecoderForm Describe(ConfigReader config)
    {
        int experts = config.Size("n_routed_experts"), dense = config.Count("first_k_dense_replace");
        int width = config.Size("moe_intermediate_size"), shared = config.Count("n_shared_experts");
        var rule = new RouterRule(
            RouterScoring.Sigmoid, config.Size("num_experts_per_tok"), config.Flag("norm_topk_prob", true),
            (float)config.Number("routed_scaling_factor"), config.OptionalSize("n_group") ?? 1, config.OptionalSize("topk_group") ?? 1);
        if (experts % rule.Groups != 0 || rule.GroupsKept > rule.Groups) throw config.Unsupported("n_group", $"{rule.Groups} for {experts} experts");
        return Llama.Frame(
            config,
            (_, module) => Attention(config, module),
            (index, layer) => index < dense
                ? Blocks.Gated(config, layer + ".mlp", config.Intermediate)
                : new MixtureForm(
                    LinearForm.Of(layer + ".mlp.gate", experts, config.Hidden),
                    rule,
                    [.. Enumerable.Range(0, experts).Select(expert => Blocks.Gated(config, $"{layer}.mlp.experts.{expert}", width))])
                {
                    Correction = WeightUse.Vector(layer + ".mlp.gate.e_score_correction_bias", experts),
                    Shared = shared == 0 ? null : Blocks.Gated(config, layer + ".mlp.shared_experts", width * shared),
                });
    }

    private static AttentionForm Attention(ConfigReader config, string module)
    {
        int heads = config.Heads, plain = config.Size("qk_nope_head_dim"), rotated = config.Size("qk_rope_head_dim");
        int value = config.Size("v_head_dim"), narrow = config.Size("kv_lora_rank"), key = plain + rotated;
        int? narrowQuery = config.OptionalSize("q_lora_rank");
        const double Epsilon = 1e-6;
        double scale = 1 / Math.Sqrt(key);
        if ((config.HasObject("rope_scaling") ? config.Object("rope_scaling") : config.Object("rope_parameters")) is { } scaling
            && scaling.Text("rope_type", "type") is not (null or "default")
            && scaling.OptionalNumber("mscale_all_dim") is { } all and not 0 && scaling.OptionalNumber("factor") is { } factor)
        {
            double stretch = RotarySettings.YarnScale(factor, all);
            scale *= stretch * stretch;
        }

        var projections = new LatentProjections(
            narrowQuery is { } down ? LinearForm.Of(module + ".q_a_proj", down, config.Hidden) : null,
            narrowQuery is null ? null : new NormForm(module + ".q_a_layernorm", Epsilon, NormKind.Rms),
            LinearForm.Of(module + (narrowQuery is null ? ".q_proj" : ".q_b_proj"), heads * key, narrowQuery ?? config.Hidden),
            LinearForm.Of(module + ".kv_a_proj_with_mqa", narrow + rotated, config.Hidden),
            new NormForm(module + ".kv_a_layernorm", Epsilon, NormKind.Rms),
            LinearForm.Of(module + ".kv_b_proj", heads * (plain + value), narrow),
            rotated);
        return new AttentionForm(
            new AttentionShape(heads, heads, key, value, (float)scale, null, null),
            projections,
            LinearForm.Of(module + ".o_proj", config.Hidden, heads * value))
        {
            Rotary = RotarySettings.Read(config, rotated, new RotaryRule { IsInterleaved = config.Flag("rope_interleave", absent: true) }),
        };
    }
}
