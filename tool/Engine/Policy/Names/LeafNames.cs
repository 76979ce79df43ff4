using System.Text.RegularExpressions;

namespace Bnb.Engine.Policy.Names;

/// <summary>What a module's last name component says about it.</summary>
internal static partial class LeafNames
{
    // Words for lookup tables, alone or after others: token_embedder, wtes, time_embedding_table.
    private const string TableWords = "(.*_)?(embs?|embd|embeds?|embedders?|embeddings?|wtes?|wpes?|luts?|lookups?|tables?)";

    // A name longer than this is no convention; it also keeps the patterns off hostile input.
    private const int LongestKnown = 128;

    /// <summary>Certainly <c>nn.Embedding</c>: a lookup table that no consumer turns into a 4-bit linear layer.</summary>
    public static bool IsEmbedding(string leaf) => leaf.Length <= LongestKnown && EmbeddingPattern().IsMatch(leaf);

    /// <summary>Looks like an embedding or a codebook but might be a linear layer: copied and covered by the skip list.</summary>
    public static bool IsEmbeddingLike(string leaf) => leaf.Length <= LongestKnown && EmbeddingLikePattern().IsMatch(leaf);

    /// <summary>
    /// The component that says that the module is a factor of a low-rank adapter, which is added to a weight and never one of its
    /// own: <c>lora_A</c>, <c>lora_down</c>, diffusers' <c>to_q_lora</c>; null when none does.
    /// </summary>
    public static string? Adapter(ModuleName module) => module.Components.FirstOrDefault(static part =>
        part == "lora" || part.StartsWith("lora_", StringComparison.Ordinal) || part.EndsWith("_lora", StringComparison.Ordinal));

    /// <summary>
    /// One of several tables, named by a number or by what it is for: <c>emb.0</c>, <c>char_embeddings.word</c>. What projects
    /// says so in its name.
    /// </summary>
    public static bool IsTableOfSeveral(ModuleName module)
    {
        if (module.Components.Count < 2 || module.Leaf.Length > LongestKnown) return false;
        bool isNumber = module.Leaf.Length > 0 && module.Leaf.All(char.IsAsciiDigit);
        return module.Components[^2] is var list && list.Length <= LongestKnown && TablesPattern().IsMatch(list)
            && (isNumber || !ProjectionPattern().IsMatch(module.Leaf));
    }

    /// <summary>
    /// A module of the model's end that scores, classifies or gives logits: <c>rank_head</c>, <c>token_classifier</c>,
    /// <c>start_logits</c>. Inside of layers the same words name other things.
    /// </summary>
    public static bool IsHead(string component) => component.Length <= LongestKnown && HeadPattern().IsMatch(component);

    /// <summary>A normalization; Cohere and Chameleon keep 2-D ones.</summary>
    public static bool IsNorm(string leaf) => leaf.Length <= LongestKnown && NormPattern().IsMatch(leaf);

    /// <summary>A name that linear layers commonly carry; a number is a layer of an <c>nn.Sequential</c>.</summary>
    public static bool IsFamiliarLinear(string leaf) => leaf.Length <= LongestKnown && FamiliarLinearPattern().IsMatch(leaf);

    /// <summary>
    /// A name that linear layers carry in every known model, and nothing else does: the allow-list of LLM.int8(). Names that
    /// also stand for weights which some code reads directly (<c>in_proj</c>, <c>x_proj</c>, <c>kv_b_proj</c>) are not on it.
    /// </summary>
    public static bool IsKnownLinear(ModuleName module)
    {
        string leaf = module.Leaf;
        if (leaf.Length > LongestKnown) return false;
        // diffusers' nn.Sequential of a projection or a feed-forward, and a dropout.
        if (leaf.Length > 0 && leaf.All(char.IsAsciiDigit))
            return module.Components.Count > 1 && module.Components[^2] is "to_out" or "net";
        return KnownLinearPattern().IsMatch(leaf);
    }

    [GeneratedRegex(
        "^(wte|wpe|shared|embed_tokens.*|embed_positions|embed_in|tok_embeddings|tokens_embed|positions_embed|"
        + "(word|token|position|token_type|patch_position|absolute_position)_embeddings?|word_embedding|token_embedding|"
        + "position_embedding|relative_attention_bias|rel_attn_embeddings|embeddings)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex EmbeddingPattern();

    [GeneratedRegex(
        "^(codebooks?|vte|.*embeddings?|.*embed_tokens.*|.*positional.*|.*embeds_layers?|emb_.*|.*_emb|.*_embed|"
        + "embed_.*tokens|" + TableWords + "(_(?!.*(proj|linear|dense|mlp|fc|norm)).*)?)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex EmbeddingLikePattern();

    [GeneratedRegex(
        "^(codebooks?|.*embeds_layers|emb_.*|.*_embeddings?|" + TableWords + "(_(?!.*(proj|linear|dense|mlp|fc|norm)).*)?)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex TablesPattern();

    [GeneratedRegex("(proj|linear|dense|mlp|fc|norm|conv|layer|hidden|mapping)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex ProjectionPattern();

    [GeneratedRegex(
        "^(.*_)?(heads?|classifiers?|scorers?|scores?|regress(or|ors|ion)|rankers?|rewards?|logits?)(_(proj|projection|dense|linear|layer|out))?$"
        + "|^gating(_(network|net|layer|layers|mlp))?$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex HeadPattern();

    [GeneratedRegex(
        "^((.*_)?(layer_?norm|rms_?norm|norm)\\d*|ln(_.*)?|(q|k)_(layer)?norm)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex NormPattern();

    [GeneratedRegex(
        "^(.*proj(_.*)?|proj_.*|in_proj.*|fc_?(\\d+|in|out)?|.*dense.*|.*linear.*|lin\\d*|.*_lin|query|key|value|query_key_value|"
        + "W?qkv|qkv|[qkvo]|w\\d|w[qkvo]|wqkv|wi(_\\d)?|c_.*|q_attn|to_.*|\\d+|attention|output|receptance|gate_up)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex FamiliarLinearPattern();

    [GeneratedRegex(
        "^((q|k|v|o|qkv|gate|up|down|gate_up|out|add_q|add_k|add_v)_proj|fc\\d?|fc_(in|out)|dense.*|linear.*|proj.*|"
        + "query|key|value|query_key_value|[qkv]_lin|out_lin|lin[12]|W(qkv|o|i)|wqkv|w[1-3]|w[qkvo]|wi(_\\d)?|[qkvo]|"
        + "c_(attn|proj|fc(_\\d)?)|q_attn|to_(q|k|v|qkv|kv|out|add_out))\\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex KnownLinearPattern();
}
