using System.Runtime.InteropServices;
using System.Text;
using Bnb.Formats.Primitives;
using Bnb.Formats.Safetensors;
using Bnb.Formats.Sharded;

namespace Bnb.Engine.Sampling;

/// <summary>
/// Writes a made-up Llama-style checkpoint in bfloat16: two shards, index, config.json, a side file. For the demo, for
/// tests, and in any size for benchmarks. The same size gives the same bytes on every machine.
/// </summary>
/// <param name="Layers">Decoder layers; each has 7 linear weights.</param>
/// <param name="Hidden">Model width; the MLP is 11/4 of it, rounded up to 64.</param>
internal sealed record SampleCheckpoint(int Layers, int Hidden, int Vocabulary)
{
    private const int NoiseValues = 1 << 20;

    /// <summary>1.9 M parameters, written in a moment.</summary>
    public static SampleCheckpoint Small { get; } = new(2, 256, 512);

    private int Intermediate => ((Hidden * 11 / 4) + 63) / 64 * 64;

    public long ByteCount => Shard(0).Concat(Shard(1)).Sum(tensor => tensor.Rows * Math.Max(1L, tensor.Columns) * 2);

    /// <summary>Writes into <paramref name="folder"/>, which is created.</summary>
    public void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        byte[] noise = Noise();
        var weightMap = new List<KeyValuePair<string, string>>();
        for (int shard = 0; shard < 2; shard++)
        {
            string file = $"model-{shard + 1:D5}-of-00002.safetensors";
            WriteShard(Path.Combine(folder, file), [.. Shard(shard)], noise);
            weightMap.AddRange(Shard(shard).Select(tensor => KeyValuePair.Create(tensor.Name, file)));
        }

        File.WriteAllBytes(Path.Combine(folder, "model.safetensors.index.json"), ShardIndex.Write(weightMap, ByteCount));
        File.WriteAllText(Path.Combine(folder, "config.json"), Config());
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), "{\n  \"bos_token_id\": 1,\n  \"eos_token_id\": 2\n}\n");
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), SampleTokenizer.Json());
    }

    private sealed record Weight(string Name, long Rows, long Columns);

    private IEnumerable<Weight> Shard(int shard)
    {
        if (shard == 0) yield return new Weight("model.embed_tokens.weight", Vocabulary, Hidden);
        int from = shard == 0 ? 0 : Layers / 2, to = shard == 0 ? Layers / 2 : Layers;
        for (int layer = from; layer < to; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            yield return new Weight(prefix + "input_layernorm.weight", Hidden, 0);
            yield return new Weight(prefix + "self_attn.q_proj.weight", Hidden, Hidden);
            yield return new Weight(prefix + "self_attn.k_proj.weight", Hidden / 4, Hidden);
            yield return new Weight(prefix + "self_attn.v_proj.weight", Hidden / 4, Hidden);
            yield return new Weight(prefix + "self_attn.o_proj.weight", Hidden, Hidden);
            yield return new Weight(prefix + "post_attention_layernorm.weight", Hidden, 0);
            yield return new Weight(prefix + "mlp.gate_proj.weight", Intermediate, Hidden);
            yield return new Weight(prefix + "mlp.up_proj.weight", Intermediate, Hidden);
            yield return new Weight(prefix + "mlp.down_proj.weight", Hidden, Intermediate);
        }

        if (shard != 1) yield break;
        yield return new Weight("model.norm.weight", Hidden, 0);
        yield return new Weight("lm_head.weight", Vocabulary, Hidden);
    }

    private static void WriteShard(string path, List<Weight> weights, byte[] noise)
    {
        var tensors = new List<TensorInfo>();
        long position = 0;
        foreach (Weight weight in weights)
        {
            TensorShape shape = weight.Columns == 0 ? TensorShape.Of(weight.Rows) : TensorShape.Of(weight.Rows, weight.Columns);
            tensors.Add(new TensorInfo(weight.Name, DType.BF16, shape, position, position + (shape.ElementCount * 2)));
            position = tensors[^1].End;
        }

        using var file = new FileStream(path, FileMode.Create, FileAccess.Write);
        file.Write(SafetensorsHeaderWriter.Write(tensors, new Dictionary<string, string> { ["format"] = "pt" }));
        foreach (TensorInfo tensor in tensors)
        {
            // Each tensor begins somewhere else in the noise, so that no two are alike.
            int start = (int)(Hash(tensor.Name) % NoiseValues) * 2;
            for (long left = tensor.ByteCount; left > 0; start = 0)
            {
                int length = (int)Math.Min(left, noise.Length - start);
                file.Write(noise, start, length);
                left -= length;
            }
        }
    }

    /// <summary>
    /// Roughly normal values of deviation 0.02 as bfloat16: the sum of twelve uniforms, which unlike a logarithm or cosine
    /// is the same on every machine.
    /// </summary>
    private static byte[] Noise()
    {
        var values = new ushort[NoiseValues];
        ulong state = 0x9E3779B97F4A7C15;
        for (int i = 0; i < values.Length; i++)
        {
            float sum = -6;
            for (int j = 0; j < 12; j++) sum += Next(ref state) * (1f / (1 << 24));
            // Cutting the low half rounds toward zero, which is as good as any rounding for noise.
            values[i] = (ushort)(BitConverter.SingleToUInt32Bits(sum * 0.02f) >> 16);
        }

        return MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
    }

    /// <summary>24 bits of splitmix64.</summary>
    private static uint Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (uint)((z ^ (z >> 31)) >> 40);
    }

    /// <summary>FNV-1a, because string.GetHashCode differs from run to run.</summary>
    private static uint Hash(string text)
    {
        uint hash = 2166136261;
        foreach (byte b in Encoding.UTF8.GetBytes(text)) hash = (hash ^ b) * 16777619;
        return hash;
    }

    private string Config() => $$"""
        {
          "architectures": [
            "LlamaForCausalLM"
          ],
          "hidden_size": {{Hidden}},
          "intermediate_size": {{Intermediate}},
          "max_position_embeddings": 512,
          "model_type": "llama",
          "num_attention_heads": {{Hidden / 64}},
          "num_hidden_layers": {{Layers}},
          "num_key_value_heads": {{Math.Max(1, Hidden / 256)}},
          "rms_norm_eps": 1e-05,
          "tie_word_embeddings": false,
          "torch_dtype": "bfloat16",
          "vocab_size": {{Vocabulary}}
        }

        """;
}
