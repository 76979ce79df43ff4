using Bnb.Formats.Gguf;

namespace Bnb.Formats.Tests.Gguf;

/// <summary>Names of several families against gguf-py's <c>tensor_mapping.py</c>.</summary>
public class LlamaNamesTests
{
    [Theory]
    [InlineData("model.layers.3.self_attn.qkv_proj.weight", "blk.3.attn_qkv.weight")]
    [InlineData("model.layers.3.mlp.gate_up_proj.weight", "blk.3.ffn_up.weight")]
    [InlineData("gpt_neox.layers.3.attention.query_key_value.weight", "blk.3.attn_qkv.weight")]
    [InlineData("gpt_neox.layers.3.mlp.dense_4h_to_h.weight", "blk.3.ffn_down.weight")]
    [InlineData("transformer.h.3.attn.c_attn.weight", "blk.3.attn_qkv.weight")]
    [InlineData("transformer.h.3.mlp.c_fc.weight", "blk.3.ffn_up.weight")]
    [InlineData("transformer.h.3.attn.attention.out_proj.weight", "blk.3.attn_output.weight")]
    [InlineData("transformer.h.3.mlp.c_fc_0.weight", "blk.3.ffn_gate.weight")]
    [InlineData("transformer.h.3.mlp.w1.weight", "blk.3.ffn_up.weight")]
    [InlineData("transformer.h.3.mlp.w2.weight", "blk.3.ffn_gate.weight")]
    [InlineData("transformer.blocks.3.ffn.down_proj.weight", "blk.3.ffn_down.weight")]
    [InlineData("layers.3.attention.wq.weight", "blk.3.attn_q.weight")]
    [InlineData("model.layers.3.feed_forward.w1.weight", "blk.3.ffn_gate.weight")]
    [InlineData("model.layers.3.feed_forward.shared_expert.up_proj.weight", "blk.3.ffn_up_shexp.weight")]
    [InlineData("model.layers.3.residual_mlp.w2.weight", "blk.3.ffn_down.weight")]
    [InlineData("model.layers.3.self_attn.kv_a_proj_with_mqa.weight", "blk.3.attn_kv_a_mqa.weight")]
    [InlineData("encoder.layer.3.attention.self.key.weight", "blk.3.attn_k.weight")]
    [InlineData("encoder.layer.3.attention.output.dense.weight", "blk.3.attn_output.weight")]
    [InlineData("encoder.layer.3.output.dense.weight", "blk.3.ffn_down.weight")]
    [InlineData("model.layers.3.mlp.router.weight", "blk.3.ffn_gate_inp.weight")]
    [InlineData("model.tok_embeddings.weight", "token_embd.weight")]
    [InlineData("transformer.output_layer.weight", "output.weight")]
    [InlineData("output.weight", "output.weight")]
    [InlineData("vision.output.weight", null)]
    [InlineData("model.layers.3.something.else.weight", null)]
    [InlineData("model.layers.3.self_attn.q_proj.bias", null)]
    public void Map_NameOfAnyFamily_IsTheConverters(string name, string? ggml) => Assert.Equal(ggml, LlamaNames.Map(name)?.Name);

    [Theory]
    [InlineData("model.layers.3.mlp.experts.17.gate_proj.weight", "blk.3.ffn_gate_exps.weight", 17)]
    [InlineData("model.layers.3.block_sparse_moe.experts.5.w3.weight", "blk.3.ffn_up_exps.weight", 5)]
    [InlineData("model.layers.3.mlp.experts.2.gate_up_proj.weight", "blk.3.ffn_gate_exps.weight", 2)]
    public void Map_OneExpert_IsItsMatrix(string name, string ggml, long expert) => Assert.Equal(new LlamaName(ggml, expert), LlamaNames.Map(name));
}
