using System.Text;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Sharded;

namespace Bnb.Benchmarks;

/// <summary>
/// A made-up checkpoint of many small tensors in bfloat16, named as DeepSeek-V3 names them: what a run costs per tensor, bytes
/// apart. Weights are of <see cref="Width"/> x <see cref="Width"/>, so that 100,000 of them are 820 MB.
/// </summary>
/// <param name="Layers">Decoder layers; the first three have no experts.</param>
/// <param name="Experts">Experts of each other layer, with 3 weights each.</param>
internal sealed record ExpertCheckpoint(int Layers, int Experts)
{
    private const int Width = 64, DenseLayers = 3, TensorsPerShard = 10_000;

    /// <summary>The one of 61 layers, as DeepSeek-V3 has, whose number of tensors is nearest to a wanted one.</summary>
    public static ExpertCheckpoint Of(int tensors)
    {
        const int RealLayers = 61;
        int other = new ExpertCheckpoint(RealLayers, 0).Names().Count();
        return new ExpertCheckpoint(RealLayers, Math.Max(1, (int)Math.Round((tensors - other) / (3.0 * (RealLayers - DenseLayers)))));
    }

    /// <summary>Every tensor's name and dimensions, in the order of the file.</summary>
    public IEnumerable<(string Name, long[] Shape)> Names()
    {
        yield return ("model.embed_tokens.weight", [1024, Width]);
        for (int layer = 0; layer < Layers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            yield return (prefix + "input_layernorm.weight", [Width]);
            foreach (string name in (string[])["q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"])
                yield return ($"{prefix}self_attn.{name}.weight", [Width, Width]);
            foreach (string name in (string[])["q_a_layernorm", "kv_a_layernorm"]) yield return ($"{prefix}self_attn.{name}.weight", [Width]);
            yield return (prefix + "post_attention_layernorm.weight", [Width]);
            if (layer < DenseLayers)
            {
                foreach (string name in Projections(prefix + "mlp.")) yield return (name, [Width, Width]);
                continue;
            }

            yield return (prefix + "mlp.gate.weight", [Math.Max(1, Experts), Width]);
            yield return (prefix + "mlp.gate.e_score_correction_bias", [Math.Max(1, Experts)]);
            foreach (string name in Projections(prefix + "mlp.shared_experts.")) yield return (name, [Width, Width]);
            for (int expert = 0; expert < Experts; expert++)
            {
                foreach (string name in Projections($"{prefix}mlp.experts.{expert}.")) yield return (name, [Width, Width]);
            }
        }

        yield return ("model.norm.weight", [Width]);
        yield return ("lm_head.weight", [1024, Width]);
    }

    /// <summary>Writes it into a folder, which is created; returns the bytes of its tensors.</summary>
    public long Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var weightMap = new List<KeyValuePair<string, string>>();
        long bytes = 0;
        (string Name, long[] Shape)[][] shards = [.. Names().Chunk(TensorsPerShard)];
        for (int shard = 0; shard < shards.Length; shard++)
        {
            string file = $"model-{shard + 1:D5}-of-{shards.Length:D5}.safetensors";
            bytes += WriteShard(Path.Combine(folder, file), shards[shard]);
            weightMap.AddRange(shards[shard].Select(tensor => KeyValuePair.Create(tensor.Name, file)));
        }

        File.WriteAllBytes(Path.Combine(folder, "model.safetensors.index.json"), ShardIndex.Write(weightMap, bytes));
        File.WriteAllText(Path.Combine(folder, "config.json"), Config);
        return bytes;
    }

    public string Config => $$"""
        {
          "architectures": ["DeepseekV3ForCausalLM"],
          "model_type": "deepseek_v3",
          "hidden_size": {{Width}},
          "moe_intermediate_size": {{Width}},
          "first_k_dense_replace": {{DenseLayers}},
          "n_routed_experts": {{Experts}},
          "num_hidden_layers": {{Layers}},
          "tie_word_embeddings": false,
          "torch_dtype": "bfloat16",
          "vocab_size": 1024
        }

        """;

    private static string[] Projections(string prefix) => [prefix + "gate_proj.weight", prefix + "up_proj.weight", prefix + "down_proj.weight"];

    private static long WriteShard(string path, (string Name, long[] Shape)[] weights)
    {
        var tensors = new List<TensorInfo>();
        long position = 0;
        foreach ((string name, long[] dimensions) in weights)
        {
            TensorShape shape = TensorShape.Of(dimensions);
            tensors.Add(new TensorInfo(name, DType.BF16, shape, position, position + (shape.ElementCount * 2)));
            position = tensors[^1].End;
        }

        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        file.Write(SafetensorsHeaderWriter.Write(tensors, new Dictionary<string, string> { ["format"] = "pt" }));
        ushort[] values = new ushort[Width * Math.Max(1024, weights.Max(weight => weight.Shape[0]))];
        var random = new Random(Encoding.UTF8.GetByteCount(weights[0].Name));
        for (int i = 0; i < values.Length; i++)
            values[i] = (ushort)(BitConverter.SingleToUInt32Bits((random.NextSingle() - 0.5f) * 0.1f) >> 16);
        ReadOnlySpan<byte> noise = System.Runtime.InteropServices.MemoryMarshal.AsBytes<ushort>(values);
        foreach (TensorInfo tensor in tensors) file.Write(noise[..(int)tensor.ByteCount]);
        return position;
    }
}
