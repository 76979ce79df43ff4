using System.Collections.Frozen;
using System.Globalization;

namespace Bnb.Formats.Gguf;

/// <summary>
/// Names of Hugging Face checkpoints as llama.cpp's converter spells them: gguf-py <c>tensor_mapping.py</c>, for the parts of
/// transformer blocks and the tensors beside them. Only the ends of names decide, so that prefixes of any wrapper do.
/// </summary>
public static class LlamaNames
{
    private const string Weight = ".weight";

    private static readonly FrozenDictionary<string, string> Outside = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["embed_tokens"] = "token_embd",
        ["wte"] = "token_embd",
        ["embed_in"] = "token_embd",
        ["word_embeddings"] = "token_embd",
        ["tok_embeddings"] = "token_embd",
        ["token_embeddings"] = "token_embd",
        ["lm_head"] = "output",
        ["embed_out"] = "output",
        ["output_layer"] = "output",
        ["word_embeddings_for_head"] = "output",
        ["norm"] = "output_norm",
        ["ln_f"] = "output_norm",
        ["final_layer_norm"] = "output_norm",
    }.ToFrozenDictionary();

    /// <summary>Whole names: elsewhere these words are other modules.</summary>
    private static readonly FrozenDictionary<string, string> Whole = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["output"] = "output",
        ["head"] = "output",
        ["shared"] = "token_embd",
        ["model.embedding"] = "token_embd",
        ["backbone.embedding"] = "token_embd",
        ["backbone.embeddings"] = "token_embd",
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, string> Inside = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.out_proj"] = "attn_output",
        ["self_attn.dense"] = "attn_output",
        ["self_attn.qkv_proj"] = "attn_qkv",
        ["self_attn.W_pack"] = "attn_qkv",
        ["self_attn.q_a_proj"] = "attn_q_a",
        ["self_attn.q_b_proj"] = "attn_q_b",
        ["self_attn.kv_a_proj_with_mqa"] = "attn_kv_a_mqa",
        ["self_attn.kv_b_proj"] = "attn_kv_b",
        ["attn.c_attn"] = "attn_qkv",
        ["attn.c_proj"] = "attn_output",
        ["attn.q_proj"] = "attn_q",
        ["attn.k_proj"] = "attn_k",
        ["attn.v_proj"] = "attn_v",
        ["attn.out_proj"] = "attn_output",
        ["attn.Wqkv"] = "attn_qkv",
        ["attn.qkv_proj"] = "attn_qkv",
        ["attn.attention.q_proj"] = "attn_q",
        ["attn.attention.k_proj"] = "attn_k",
        ["attn.attention.v_proj"] = "attn_v",
        ["attn.attention.out_proj"] = "attn_output",
        ["attn.k"] = "attn_k",
        ["attn.v"] = "attn_v",
        ["attention.wq"] = "attn_q",
        ["attention.wk"] = "attn_k",
        ["attention.wv"] = "attn_v",
        ["attention.wo"] = "attn_output",
        ["attention.self.query"] = "attn_q",
        ["attention.self.key"] = "attn_k",
        ["attention.self.value"] = "attn_v",
        ["attention.output.dense"] = "attn_output",
        ["mixer.Wqkv"] = "attn_qkv",
        ["mixer.out_proj"] = "attn_output",
        ["multi_head_attention.query"] = "attn_q",
        ["multi_head_attention.key"] = "attn_k",
        ["multi_head_attention.value"] = "attn_v",
        ["multi_head_attention.linear"] = "attn_output",
        ["self_attn.query_key_value"] = "attn_qkv",
        ["attention.query_key_value"] = "attn_qkv",
        ["attention.dense"] = "attn_output",
        ["self_attention.query_key_value"] = "attn_qkv",
        ["self_attention.dense"] = "attn_output",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["mlp.gate_up_proj"] = "ffn_up",
        ["mlp.c_fc"] = "ffn_up",
        ["mlp.c_proj"] = "ffn_down",
        ["mlp.fc1"] = "ffn_up",
        ["mlp.fc2"] = "ffn_down",
        ["mlp.dense_h_to_4h"] = "ffn_up",
        ["mlp.dense_4h_to_h"] = "ffn_down",
        ["mlp.fc11"] = "ffn_up",
        ["mlp.fc12"] = "ffn_gate",
        ["mlp.c_fc2"] = "ffn_gate",
        ["mlp.c_fc_0"] = "ffn_gate",
        ["mlp.c_fc_1"] = "ffn_up",
        ["mlp.linear_1"] = "ffn_gate",
        ["mlp.linear_3"] = "ffn_up",
        ["mlp.w1"] = "ffn_up",
        ["mlp.w2"] = "ffn_gate",
        ["mlp.gated_layers_v"] = "ffn_up",
        ["mlp.gated_layers_w"] = "ffn_gate",
        ["mlp.down_layer"] = "ffn_down",
        ["mlp.wo"] = "ffn_down",
        ["ffn.up_proj"] = "ffn_up",
        ["ffn.down_proj"] = "ffn_down",
        ["ffn.proj_2"] = "ffn_down",
        ["feed_forward.w1"] = "ffn_gate",
        ["feed_forward.w2"] = "ffn_down",
        ["feed_forward.w3"] = "ffn_up",
        ["feed_forward.gate_proj"] = "ffn_gate",
        ["feed_forward.up_proj"] = "ffn_up",
        ["feed_forward.down_proj"] = "ffn_down",
        ["residual_mlp.w1"] = "ffn_gate",
        ["residual_mlp.w2"] = "ffn_down",
        ["residual_mlp.w3"] = "ffn_up",
        ["intermediate.dense"] = "ffn_up",
        ["output.dense"] = "ffn_down",
        ["fc1"] = "ffn_up",
        ["fc2"] = "ffn_down",
        ["mlp.fc_in"] = "ffn_up",
        ["mlp.fc_out"] = "ffn_down",
        ["block_sparse_moe.gate"] = "ffn_gate_inp",
        ["mlp.gate"] = "ffn_gate_inp",
        ["mlp.router"] = "ffn_gate_inp",
        ["mlp.gate.wg"] = "ffn_gate_inp",
        ["router"] = "ffn_gate_inp",
        ["feed_forward.gate"] = "ffn_gate_inp",
        ["feed_forward.router"] = "ffn_gate_inp",
        ["ffn.router.layer"] = "ffn_gate_inp",
        ["block_sparse_moe.router.layer"] = "ffn_gate_inp",
        ["block_sparse_moe.output_linear"] = "ffn_down_exps",
        ["ffn.experts.mlp.w1"] = "ffn_gate_exps",
        ["ffn.experts.mlp.w2"] = "ffn_down_exps",
        ["ffn.experts.mlp.v1"] = "ffn_up_exps",
        ["block_sparse_moe.shared_experts.gate_proj"] = "ffn_gate_shexp",
        ["block_sparse_moe.shared_experts.up_proj"] = "ffn_up_shexp",
        ["block_sparse_moe.shared_experts.down_proj"] = "ffn_down_shexp",
        ["feed_forward.shared_expert.gate_proj"] = "ffn_gate_shexp",
        ["feed_forward.shared_expert.up_proj"] = "ffn_up_shexp",
        ["feed_forward.shared_expert.down_proj"] = "ffn_down_shexp",
        ["mlp.shared_mlp.gate_proj"] = "ffn_gate_shexp",
        ["mlp.shared_mlp.up_proj"] = "ffn_up_shexp",
        ["mlp.shared_mlp.down_proj"] = "ffn_down_shexp",
        ["mlp.shared_expert.gate_proj"] = "ffn_gate_shexp",
        ["mlp.shared_expert.up_proj"] = "ffn_up_shexp",
        ["mlp.shared_expert.down_proj"] = "ffn_down_shexp",
        ["mlp.shared_experts.gate_proj"] = "ffn_gate_shexp",
        ["mlp.shared_experts.up_proj"] = "ffn_up_shexp",
        ["mlp.shared_experts.down_proj"] = "ffn_down_shexp",
        ["mlp.shared_expert_gate"] = "ffn_gate_inp_shexp",
        ["input_layernorm"] = "attn_norm",
        ["post_attention_layernorm"] = "ffn_norm",
        ["self_attn.q_norm"] = "attn_q_norm",
        ["self_attn.k_norm"] = "attn_k_norm",
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, string> Expert = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["w1"] = "ffn_gate_exps",
        ["w2"] = "ffn_down_exps",
        ["w3"] = "ffn_up_exps",
        ["gate_proj"] = "ffn_gate_exps",
        ["down_proj"] = "ffn_down_exps",
        ["up_proj"] = "ffn_up_exps",
        // Both halves get the same input.
        ["gate_up_proj"] = "ffn_gate_exps",
    }.ToFrozenDictionary();

    private static readonly FrozenSet<string> Lists = FrozenSet.ToFrozenSet(["layers", "h", "blocks", "block", "layer", "decoder_layer"], StringComparer.Ordinal);

    /// <summary>ggml's name of a Hugging Face tensor, null when it is none of those known.</summary>
    /// <param name="tensorName">With <c>.weight</c>, such as <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
    public static LlamaName? Map(string tensorName)
    {
        ArgumentNullException.ThrowIfNull(tensorName);
        if (!tensorName.EndsWith(Weight, StringComparison.Ordinal)) return null;
        string[] parts = tensorName[..^Weight.Length].Split('.');
        int block = Array.FindIndex(parts, static part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out _));
        if (block < 0)
        {
            string? alone = Whole.GetValueOrDefault(tensorName[..^Weight.Length]) ?? Outside.GetValueOrDefault(parts[^1]);
            return alone is null ? null : new LlamaName(alone + Weight, null);
        }

        if (block == 0 || !Lists.Contains(parts[block - 1])) return null;

        string prefix = $"blk.{parts[block]}.";
        ReadOnlySpan<string> rest = parts.AsSpan(block + 1);
        if (rest.Length is 3 or 4 && rest[1] == "experts" && (rest[0] is "mlp" or "block_sparse_moe" or "feed_forward"))
        {
            if (!Expert.TryGetValue(rest[^1], out string? fused)) return null;
            if (rest.Length == 3) return new LlamaName(prefix + fused + Weight, null);
            return long.TryParse(rest[2], NumberStyles.None, CultureInfo.InvariantCulture, out long expert)
                ? new LlamaName(prefix + fused + Weight, expert)
                : null;
        }

        return Inside.TryGetValue(string.Join('.', rest!), out string? name) ? new LlamaName(prefix + name + Weight, null) : null;
    }
}
