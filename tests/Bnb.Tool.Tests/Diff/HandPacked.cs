using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Bnb.Quant.Blockwise;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Diff;

/// <summary>
/// A 4-bit weight made by hand: random codes and scales, every layout that loaders accept, and the values it stands for,
/// computed one by one. Uses nothing of the product but the two code tables.
/// </summary>
internal sealed record HandPacked
{
    public const string Name = "model.layers.0.mlp.up_proj.weight";

    public string Key { get; init; } = Name;

    public long Rows { get; init; } = 48;

    public long Columns { get; init; } = 96;

    public string QuantType { get; init; } = "nf4";

    public int Blocksize { get; init; } = 64;

    public bool Nested { get; init; }

    /// <summary>torch's name of the dtype that decoding gives.</summary>
    public string DType { get; init; } = "bfloat16";

    /// <summary>safetensors' name of the dtype that the codes are declared as.</summary>
    public string Storage { get; init; } = "U8";

    public int Seed { get; init; } = 1;

    private long Count => Rows * Columns;

    private int Blocks => (int)((Count + Blocksize - 1) / Blocksize);

    /// <summary>The weight and its companions.</summary>
    public IReadOnlyList<TestTensor> Tensors()
    {
        var random = new Random(Seed);
        byte[] codes = new byte[(Count + 1) / 2];
        random.NextBytes(codes);
        int width = Storage switch { "U8" => 1, "F32" => 4, _ => 2 };
        var tensors = new List<TestTensor>
        {
            new(Key, Storage, [codes.Length / width, 1], codes),
            new(Key + ".quant_map", "F32", [16], Bytes(Code4Catalog.ByName(QuantType).Values.Span)),
            new($"{Key}.quant_state.bitsandbytes__{QuantType}", "U8", [State().Length], State()),
        };
        if (!Nested)
        {
            tensors.Add(new TestTensor(Key + ".absmax", "F32", [Blocks], Bytes(Scales(random, Blocks))));
            return tensors;
        }

        byte[] absmax = new byte[Blocks];
        random.NextBytes(absmax);
        int nested = (Blocks + 255) / 256;
        tensors.Add(new TestTensor(Key + ".absmax", "U8", [Blocks], absmax));
        tensors.Add(new TestTensor(Key + ".nested_absmax", "F32", [nested], Bytes(Scales(random, nested))));
        // Not the usual table: what counts is the one in the file.
        tensors.Add(new TestTensor(Key + ".nested_quant_map", "F32", [256], Bytes([.. Enumerable.Range(0, 256).Select(i => (i - 120) / 135.7f)])));
        return tensors;
    }

    /// <summary>The values in [rows, columns] order, rounded to the dtype.</summary>
    public float[] Values() => Decode(Tensors());

    /// <summary>The same for tensors of this form that were changed since.</summary>
    public float[] Decode(IReadOnlyList<TestTensor> tensors)
    {
        byte[] Data(string suffix) => tensors.Single(tensor => tensor.Name == Key + suffix).Data;
        byte[] codes = Data("");
        float[] table = Floats(Data(".quant_map")), absmax = Nested ? new float[Blocks] : Floats(Data(".absmax"));
        for (int i = 0; Nested && i < Blocks; i++)
            absmax[i] = (float)(Floats(Data(".nested_quant_map"))[Data(".absmax")[i]] * Floats(Data(".nested_absmax"))[i / 256]) + Offset;

        var values = new float[Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = Round(table[(codes[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15] * absmax[i / Blocksize], DType);
        return values;
    }

    /// <summary>Rounds to a torch dtype, to nearest, ties to even.</summary>
    public static float Round(float value, string dtype)
    {
        if (dtype == "float16") return (float)(Half)value;
        if (dtype != "bfloat16" || !float.IsFinite(value)) return value;
        uint bits = BitConverter.SingleToUInt32Bits(value), rest = bits & 0xFFFF, kept = bits & 0xFFFF_0000;
        bool up = rest > 0x8000 || (rest == 0x8000 && (kept & 0x1_0000) != 0);
        return BitConverter.UInt32BitsToSingle(up ? kept + 0x1_0000 : kept);
    }

    /// <summary>Values as a plain tensor stores them; exact for values that were rounded to the dtype.</summary>
    public static byte[] Store(ReadOnlySpan<float> values, string dtype)
    {
        if (dtype == "float32") return Bytes(values);
        var stored = new ushort[values.Length];
        for (int i = 0; i < stored.Length; i++)
        {
            stored[i] = dtype == "float16"
                ? BitConverter.HalfToUInt16Bits((Half)values[i])
                : (ushort)(BitConverter.SingleToUInt32Bits(values[i]) >> 16);
        }

        return MemoryMarshal.AsBytes(stored.AsSpan()).ToArray();
    }

    public static byte[] Bytes(ReadOnlySpan<float> values) => MemoryMarshal.AsBytes(values).ToArray();

    public static float[] Floats(byte[] bytes) => MemoryMarshal.Cast<byte, float>(bytes).ToArray();

    private const float Offset = 0.0625f;

    private static float[] Scales(Random random, int count)
    {
        var scales = new float[count];
        for (int i = 0; i < count; i++) scales[i] = 0.01f + (random.NextSingle() * 0.2f);
        return scales;
    }

    private byte[] State()
    {
        string nested = Nested ? ", \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": 0.0625" : "";
        return Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"{{\"quant_type\": \"{QuantType}\", \"blocksize\": {Blocksize}, \"dtype\": \"{DType}\", \"shape\": [{Rows}, {Columns}]{nested}}}"));
    }
}
