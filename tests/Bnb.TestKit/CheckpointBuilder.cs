using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Bnb.TestKit;

/// <summary>One tensor to write.</summary>
/// <param name="Name">Its key.</param>
/// <param name="DType">As safetensors spells it.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="Data">Its bytes.</param>
public sealed record TestTensor(string Name, string DType, long[] Shape, byte[] Data)
{
    /// <summary>A tensor whose bytes tell their position, so that a wrong offset shows.</summary>
    public static TestTensor Numbered(string name, string dtype, params long[] shape)
    {
        long bits = shape.Aggregate(1L, (product, dimension) => product * dimension) * Bits(dtype);
        byte[] data = new byte[bits / 8];
        for (int i = 0; i < data.Length; i++) data[i] = (byte)((i * 7) + (i >> 8) + name.Length);
        return new TestTensor(name, dtype, shape, data);
    }

    /// <summary>A tensor of whole 16- or 32-bit floats, all finite, with values from -1 to 1 that tell their position.</summary>
    public static TestTensor Floats(string name, string dtype, params long[] shape)
    {
        long count = shape.Aggregate(1L, (product, dimension) => product * dimension);
        byte[] data = new byte[count * Bits(dtype) / 8];
        for (int i = 0; i < count; i++)
        {
            float value = (((i * 37) + (i / 64 * 11)) % 201 - 100) / 100f;
            Span<byte> place = data.AsSpan(i * Bits(dtype) / 8);
            if (dtype == "F32") BinaryPrimitives.WriteSingleLittleEndian(place, value);
            else if (dtype == "F16") BinaryPrimitives.WriteHalfLittleEndian(place, (Half)value);
            else if (dtype == "BF16")
                BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
            else throw new ArgumentException(dtype, nameof(dtype));
        }

        return new TestTensor(name, dtype, shape, data);
    }

    private static int Bits(string dtype) => dtype switch
    {
        "F4" => 4,
        "F6_E2M3" or "F6_E3M2" => 6,
        "I16" or "U16" or "F16" or "BF16" => 16,
        "I32" or "U32" or "F32" => 32,
        "I64" or "U64" or "F64" or "C64" => 64,
        _ => 8,
    };
}

/// <summary>
/// Writes checkpoints for tests. Knows nothing of the product's writer, so that reader and writer cannot share a mistake.
/// </summary>
public static class CheckpointBuilder
{
    /// <summary>A config.json of a small Llama.</summary>
    public const string LlamaConfig = """
        {
          "architectures": [
            "LlamaForCausalLM"
          ],
          "model_type": "llama",
          "torch_dtype": "bfloat16"
        }

        """;

    /// <summary>A file from a header's text and data: the length prefix is made to fit.</summary>
    public static byte[] Raw(string header, ReadOnlySpan<byte> data) => Raw(Encoding.UTF8.GetBytes(header), data);

    /// <summary>A file from a header's bytes and data: the length prefix is made to fit.</summary>
    public static byte[] Raw(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.Length);
        return [.. prefix, .. header, .. data];
    }

    /// <summary>A safetensors file of these tensors in this order, with the metadata that loaders want.</summary>
    public static byte[] Safetensors(params IEnumerable<TestTensor> tensors)
    {
        StringBuilder json = new("{\"__metadata__\":{\"format\":\"pt\"}");
        List<byte> data = [];
        foreach (TestTensor tensor in tensors)
        {
            string shape = string.Join(",", tensor.Shape.Select(d => d.ToString(CultureInfo.InvariantCulture)));
            json.Append(CultureInfo.InvariantCulture, $",{JsonSerializer.Serialize(tensor.Name)}:{{\"dtype\":\"{tensor.DType}\",");
            json.Append(CultureInfo.InvariantCulture, $"\"shape\":[{shape}],\"data_offsets\":[{data.Count},{data.Count + tensor.Data.Length}]}}");
            data.AddRange(tensor.Data);
        }

        return Raw(json.Append('}').ToString(), data.ToArray());
    }

    /// <summary>Writes model.safetensors and config.json into a folder and returns the folder.</summary>
    public static string SingleFile(string folder, IEnumerable<TestTensor> tensors, string? config = LlamaConfig)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), Safetensors(tensors));
        if (config is not null) File.WriteAllText(Path.Combine(folder, "config.json"), config);
        return folder;
    }

    /// <summary>Writes one file per list of tensors, the index and config.json into a folder and returns the folder.</summary>
    public static string Sharded(string folder, IReadOnlyList<IReadOnlyList<TestTensor>> shards, string? config = LlamaConfig)
    {
        Directory.CreateDirectory(folder);
        List<(string Tensor, string Shard)> map = [];
        for (int i = 0; i < shards.Count; i++)
        {
            string name = ShardName(i + 1, shards.Count);
            File.WriteAllBytes(Path.Combine(folder, name), Safetensors(shards[i]));
            map.AddRange(shards[i].Select(tensor => (tensor.Name, name)));
        }

        long total = shards.Sum(shard => shard.Sum(tensor => (long)tensor.Data.Length));
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), Index(map, total));
        if (config is not null) File.WriteAllText(Path.Combine(folder, "config.json"), config);
        return folder;
    }

    /// <summary>The text of a shard index; names are written as they come, repeats included.</summary>
    public static string Index(IEnumerable<(string Tensor, string Shard)> map, long totalSize)
    {
        IEnumerable<string> lines = map.Select(pair => $"    {JsonSerializer.Serialize(pair.Tensor)}: {JsonSerializer.Serialize(pair.Shard)}");
        string size = totalSize.ToString(CultureInfo.InvariantCulture);
        return $"{{\n  \"metadata\": {{\n    \"total_size\": {size}\n  }},\n  \"weight_map\": {{\n{string.Join(",\n", lines)}\n  }}\n}}\n";
    }

    /// <summary>The usual name of a shard; numbers count from 1.</summary>
    public static string ShardName(int number, int count) =>
        string.Create(CultureInfo.InvariantCulture, $"model-{number:00000}-of-{count:00000}.safetensors");
}
