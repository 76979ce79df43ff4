using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>DeepSeek V3: latent attention, experts chosen by corrected sigmoids from the best groups, a shared expert.</summary>
internal static class DeepseekV3
{
    public static DecoderForm Describe(ConfigReader config)
    {
        int experts = config.Size("n_routed_experts"), dense = config.OptionalSize("first_k_dense_replace") ?? 0;
        int width = config.Size("moe_intermediate_size"), shared = config.OptionalSize("n_shared_experts") ?? 0;
        var rule = new RouterRule(
            RouterScoring.Sigmoid, config.Size("num_experts_per_tok"), config.Flag("norm_topk_prob", true),
            (float)(config.OptionalNumber("routed_scaling_factor") ?? 1), config.OptionalSize("n_group") ?? 1, config.OptionalSize("topk_group") ?? 1);
        if (experts % rule.Groups != 0 || rule.GroupsKept > rule.Groups) throw config.Unsupported("n_group", $"{rule.Groups} for {experts} experts");
        return Llama.Of(
            config,
            attention: (_, _, module) => Attention(config, module),
            feedForward: (index, layer) => index < dense
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
        if ((config.Object("rope_parameters") ?? config.Object("rope_scaling")) is { } scaling
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
            Rotary = RotarySettings.Read(config, rotated, config.Flag("rope_interleave", true)),
        };
    }
}
