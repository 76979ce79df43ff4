using System.Text.RegularExpressions;

namespace Bnb.Tool.Policy;

/// <summary>What a module's last name component says about it.</summary>
internal static partial class LeafNames
{
    // A name longer than this is no convention; it also keeps the patterns off hostile input.
    private const int LongestKnown = 128;

    /// <summary>Certainly <c>nn.Embedding</c>: a lookup table that no consumer turns into a 4-bit linear layer.</summary>
    public static bool IsEmbedding(string leaf) => leaf.Length <= LongestKnown && EmbeddingPattern().IsMatch(leaf);

    /// <summary>Looks like an embedding or a codebook but might be a linear layer: copied and covered by the skip list.</summary>
    public static bool IsEmbeddingLike(string leaf) => leaf.Length <= LongestKnown && EmbeddingLikePattern().IsMatch(leaf);

    /// <summary>A normalization; Cohere and Chameleon keep 2-D ones.</summary>
    public static bool IsNorm(string leaf) => leaf.Length <= LongestKnown && NormPattern().IsMatch(leaf);

    /// <summary>A name that linear layers commonly carry; a number is a layer of an <c>nn.Sequential</c>.</summary>
    public static bool IsFamiliarLinear(string leaf) => leaf.Length <= LongestKnown && FamiliarLinearPattern().IsMatch(leaf);

    [GeneratedRegex(
        "^(wte|wpe|shared|embed_tokens.*|embed_positions|embed_in|tok_embeddings|tokens_embed|positions_embed|"
        + "(word|token|position|token_type|patch_position|absolute_position)_embeddings?|word_embedding|token_embedding|"
        + "position_embedding|relative_attention_bias|rel_attn_embeddings|embeddings)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex EmbeddingPattern();

    [GeneratedRegex(
        "^(embed|emb|codebook|.*embeddings?|.*embed_tokens.*|.*positional.*)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex EmbeddingLikePattern();

    [GeneratedRegex(
        "^((.*_)?(layer_?norm|rms_?norm|norm)\\d*|ln(_.*)?|(q|k)_(layer)?norm)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex NormPattern();

    [GeneratedRegex(
        "^(.*proj(_.*)?|proj_.*|in_proj.*|fc_?(\\d+|in|out)?|.*dense.*|.*linear.*|lin\\d*|.*_lin|query|key|value|query_key_value|"
        + "W?qkv|qkv|[qkvo]|w\\d|w[qkvo]|wqkv|wi(_\\d)?|c_.*|q_attn|to_.*|\\d+|attention|output|receptance|gate_up)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex FamiliarLinearPattern();
}
