using Bnb.Engine.Evaluating.Operators;

namespace Bnb.Engine.Evaluating.Families;

/// <summary>What most families share: attention with three projections, a gated feed-forward block, the frame of a model.</summary>
internal static class Blocks
{
    /// <summary>The names of layer <paramref name="index"/> begin with this.</summary>
    public static string Layer(int index, string list = "model.layers") => $"{list}.{index}";

    /// <summary>Scale, heads and widths as most configs say them.</summary>
    public static AttentionShape Shape(ConfigReader config, int? window = null)
    {
        int heads = config.Heads, keyHeads = config.KeyHeads, width = config.HeadWidth;
        if (heads % keyHeads != 0) throw config.Unsupported("num_key_value_heads", $"{keyHeads} for {heads} heads");
        return new AttentionShape(heads, keyHeads, width, width, (float)(1 / Math.Sqrt(width)), window, SoftCap: null);
    }

    /// <summary>q_proj, k_proj, v_proj and an output below <paramref name="module"/>.</summary>
    public static AttentionForm Attention(ConfigReader config, string module, AttentionShape shape, string output = "o_proj") => new(
        shape,
        new SeparateProjections(
            LinearForm.Of(module + ".q_proj", shape.Heads * shape.KeyWidth, config.Hidden),
            LinearForm.Of(module + ".k_proj", shape.KeyHeads * shape.KeyWidth, config.Hidden),
            LinearForm.Of(module + ".v_proj", shape.KeyHeads * shape.ValueWidth, config.Hidden)),
        LinearForm.Of($"{module}.{output}", config.Hidden, shape.Heads * shape.ValueWidth));

    /// <summary>One norm for all query heads and one for all key heads.</summary>
    public static QueryKeyNorms HeadNorms(string module, double epsilon, NormKind kind) =>
        new([new NormForm(module + ".q_norm", epsilon, kind)], [new NormForm(module + ".k_norm", epsilon, kind)], IsPerHead: true);

    /// <summary>gate_proj, up_proj and down_proj below <paramref name="module"/>.</summary>
    public static DenseForm Gated(
        ConfigReader config, string module, int width, string gate = "gate_proj", string up = "up_proj", string down = "down_proj",
        string activation = "hidden_act") => new(
            LinearForm.Of($"{module}.{up}", width, config.Hidden),
            LinearForm.Of($"{module}.{down}", config.Hidden, width),
            config.Activation(activation),
            Gating.Separate)
        {
            Gate = LinearForm.Of($"{module}.{gate}", width, config.Hidden),
        };

    /// <summary>gate_up_proj, gates first, and down_proj below <paramref name="module"/>.</summary>
    public static DenseForm FusedGated(ConfigReader config, string module, int width) => new(
        LinearForm.Of(module + ".gate_up_proj", 2 * width, config.Hidden),
        LinearForm.Of(module + ".down_proj", config.Hidden, width),
        config.Activation(),
        Gating.FirstHalf);

    /// <summary>Two linear layers with an activation between.</summary>
    public static DenseForm Plain(ConfigReader config, string module, int width, string up, string down, string activation = "hidden_act") => new(
        LinearForm.Of($"{module}{up}", width, config.Hidden),
        LinearForm.Of($"{module}{down}", config.Hidden, width),
        config.Activation(activation),
        Gating.None);

    /// <summary>A norm at the RMS epsilon of the config.</summary>
    public static NormForm Rms(ConfigReader config, string module) => new(module, config.Number("rms_norm_eps"), NormKind.Rms);

    /// <summary>The names that most families use outside of layers.</summary>
    /// <param name="layer">Makes layer number i.</param>
    /// <param name="embeddingWidth">Of the embedding and the head, where it is not the hidden width.</param>
    public static DecoderForm Decoder(ConfigReader config, NormForm? norm, Func<int, LayerForm> layer, string prefix = "model.",
        string embedding = "embed_tokens", string head = "lm_head", int? embeddingWidth = null)
    {
        int width = embeddingWidth ?? config.Hidden;
        return new DecoderForm(
            config.Hidden,
            new WeightUse($"{prefix}{embedding}.weight", config.Vocabulary, width),
            [.. Enumerable.Range(0, config.Layers).Select(layer)],
            norm,
            LinearForm.Of(head, config.Vocabulary, width))
        {
            BasePrefix = prefix,
            MaxPositions = config.OptionalSize("max_position_embeddings", "n_positions"),
        };
    }

    /// <summary>
    /// Whether layer <paramref name="index"/> has a sliding window: by <c>layer_types</c>, or by <paramref name="otherwise"/>
    /// in configs that do not list them.
    /// </summary>
    public static bool IsSliding(ConfigReader config, int index, Func<int, bool> otherwise)
    {
        if (config.Texts("layer_types") is not { } types) return otherwise(index);
        string type = index < types.Count ? types[index] : "missing";
        return type switch
        {
            "sliding_attention" => true,
            "full_attention" => false,
            _ => throw config.Unsupported("layer_types", type),
        };
    }

    /// <summary>The window of layer <paramref name="index"/>, or null.</summary>
    public static int? Window(ConfigReader config, int index, Func<int, bool> otherwise) =>
        IsSliding(config, index, otherwise) ? config.OptionalSize("sliding_window") : null;
}
