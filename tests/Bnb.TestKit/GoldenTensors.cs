using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Bnb.TestKit;

/// <summary>
/// The tensors of a golden safetensors file. A reader of its own on purpose: the product's reader must not vouch for the files
/// it is tested with. Trusts the file, as it is committed here.
/// </summary>
public sealed class GoldenTensors
{
    private readonly byte[] _file;
    private readonly int _dataOffset;
    private readonly Dictionary<string, JsonElement> _tensors = [];

    private GoldenTensors(byte[] file)
    {
        _file = file;
        int headerLength = checked((int)BinaryPrimitives.ReadInt64LittleEndian(file));
        _dataOffset = 8 + headerLength;
        foreach (JsonProperty property in JsonDocument.Parse(file.AsMemory(8, headerLength)).RootElement.EnumerateObject())
        {
            if (property.Name != "__metadata__") _tensors.Add(property.Name, property.Value);
        }
    }

    /// <summary>Reads one file below <c>tests/golden</c>.</summary>
    public static GoldenTensors Load(params string[] parts) => new(File.ReadAllBytes(Golden.File(parts)));

    /// <summary>Names of all tensors.</summary>
    public IEnumerable<string> Names => _tensors.Keys;

    /// <summary>The storage kind as the header spells it, for example <c>BF16</c>.</summary>
    public string Dtype(string name) => _tensors[name].GetProperty("dtype").GetString()!;

    /// <summary>The dimensions.</summary>
    public long[] Shape(string name) => [.. _tensors[name].GetProperty("shape").EnumerateArray().Select(item => item.GetInt64())];

    /// <summary>The stored bytes.</summary>
    public byte[] Bytes(string name)
    {
        JsonElement offsets = _tensors[name].GetProperty("data_offsets");
        int begin = offsets[0].GetInt32(), end = offsets[1].GetInt32();
        return _file.AsSpan(_dataOffset + begin, end - begin).ToArray();
    }

    /// <summary>An F32 tensor's values.</summary>
    public float[] Floats(string name)
    {
        if (Dtype(name) != "F32") throw new InvalidOperationException($"{name} is {Dtype(name)}");
        return MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();
    }
}
