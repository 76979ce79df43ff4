using System.Globalization;
using System.Text.RegularExpressions;

namespace Bnb.Formats.Gguf;

/// <summary>Names of weights in llama.cpp's files for those of Hugging Face checkpoints, as gguf's tensor_mapping.py pairs
/// them.</summary>
public static partial class GgmlNames
{
    private static readonly Dictionary<string, string> Modules = new(StringComparer.Ordinal)
    {
        ["self_attn.q_proj"] = "attn_q",
        ["self_attn.k_proj"] = "attn_k",
        ["self_attn.v_proj"] = "attn_v",
        ["self_attn.o_proj"] = "attn_output",
        ["self_attn.out_proj"] = "attn_output",
        ["self_attn.qkv_proj"] = "attn_qkv",
        ["self_attn.q_a_proj"] = "attn_q_a",
        ["self_attn.q_b_proj"] = "attn_q_b",
        ["self_attn.kv_a_proj_with_mqa"] = "attn_kv_a_mqa",
        ["self_attn.kv_b_proj"] = "attn_kv_b",
        ["mlp.gate_proj"] = "ffn_gate",
        ["mlp.up_proj"] = "ffn_up",
        ["mlp.gate_up_proj"] = "ffn_up",
        ["mlp.down_proj"] = "ffn_down",
        ["mlp.gate"] = "ffn_gate_inp",
        ["mlp.router"] = "ffn_gate_inp",
        ["mlp.shared_experts.gate_proj"] = "ffn_gate_shexp",
        ["mlp.shared_experts.up_proj"] = "ffn_up_shexp",
        ["mlp.shared_experts.down_proj"] = "ffn_down_shexp",
        ["block_sparse_moe.gate"] = "ffn_gate_inp",
        ["attn.c_attn"] = "attn_qkv",
        ["attn.c_proj"] = "attn_output",
        ["mlp.c_fc"] = "ffn_up",
        ["mlp.c_proj"] = "ffn_down",
        ["attention.query_key_value"] = "attn_qkv",
        ["attention.dense"] = "attn_output",
        ["mlp.dense_h_to_4h"] = "ffn_up",
        ["mlp.dense_4h_to_h"] = "ffn_down",
        ["fc1"] = "ffn_up",
        ["fc2"] = "ffn_down",
    };

    private static readonly Dictionary<string, string> ExpertModules = new(StringComparer.Ordinal)
    {
        ["gate_proj"] = "ffn_gate_exps",
        ["up_proj"] = "ffn_up_exps",
        ["down_proj"] = "ffn_down_exps",
        ["w1"] = "ffn_gate_exps",
        ["w2"] = "ffn_down_exps",
        ["w3"] = "ffn_up_exps",
    };

    /// <summary>The name of a decoder layer's linear weight, and the expert it is of; null for any other.</summary>
    /// <param name="name">For example <c>model.layers.0.self_attn.q_proj.weight</c>.</param>
    public static (string Name, int? Expert)? Of(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (ExpertWeight().Match(name) is { Success: true } expert && ExpertModules.TryGetValue(expert.Groups[3].Value, out string? stacked))
        {
            return ($"blk.{expert.Groups[1].Value}.{stacked}.weight", int.Parse(expert.Groups[2].Value, CultureInfo.InvariantCulture));
        }

        return LayerWeight().Match(name) is { Success: true } layer && Modules.TryGetValue(layer.Groups[2].Value, out string? own)
            ? ($"blk.{layer.Groups[1].Value}.{own}.weight", null)
            : null;
    }

    [GeneratedRegex(@"(?:^|\.)(?:layers|h)\.([0-9]{1,6})\.(.+)\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex LayerWeight();

    [GeneratedRegex(@"(?:^|\.)layers\.([0-9]{1,6})\.[^.]+\.experts\.([0-9]{1,6})\.([^.]+)\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex ExpertWeight();
}
