using System.Runtime.InteropServices;
using Bnb.TestKit;

namespace Bnb.Tool.Tests.Integers;

/// <summary>
/// A group-wise INT4 weight of compressed-tensors made by hand: random codes, scales and zero points, and the values it stands
/// for, computed one by one.
/// </summary>
internal sealed record HandGroups4
{
    public const string Module = "model.layers.0.mlp.up_proj";

    public string Path { get; init; } = Module;

    public long Rows { get; init; } = 41;

    public long Columns { get; init; } = 192;

    public int GroupSize { get; init; } = 64;

    public bool Symmetric { get; init; } = true;

    /// <summary>safetensors' name of the scales' dtype, which is that of the values.</summary>
    public string DType { get; init; } = "BF16";

    public int Seed { get; init; } = 1;

    public string Key => Path + ".weight";

    private int Groups => (int)(Columns / GroupSize);

    public static string Config(int groupSize, bool symmetric)
    {
        string weights = $$"""{"num_bits": 4, "type": "int", "strategy": "group", "group_size": {{groupSize}}, "symmetric": {{(symmetric ? "true" : "false")}}}""";
        return """{"model_type": "llama", "quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized", """
            + """ "quantization_status": "compressed", "ignore": ["lm_head"], "config_groups": {"group_0": {"targets": ["Linear"], "weights": """ + weights + "}}}}";
    }

    /// <summary>weight_packed, weight_scale, weight_shape and, when asymmetric, weight_zero_point.</summary>
    public List<TestTensor> Tensors()
    {
        var random = new Random(Seed);
        byte[] codes = new byte[Rows * Columns / 2];
        random.NextBytes(codes);
        float[] scales = new float[Rows * Groups];
        for (int i = 0; i < scales.Length; i++) scales[i] = 0.01f + (random.NextSingle() * 0.2f);
        List<TestTensor> tensors =
        [
            new($"{Path}.weight_packed", "I32", [Rows, Columns / 8], codes),
            new($"{Path}.weight_scale", DType, [Rows, Groups], Stored.Bytes(DType, scales)),
            new($"{Path}.weight_shape", "I64", [2], MemoryMarshal.AsBytes<long>([Rows, Columns]).ToArray()),
        ];
        if (Symmetric) return tensors;
        long words = (Rows + 7) / 8;
        byte[] zeroPoints = new byte[words * Groups * 4];
        random.NextBytes(zeroPoints);
        tensors.Add(new TestTensor($"{Path}.weight_zero_point", "I32", [words, Groups], zeroPoints));
        return tensors;
    }

    public float[] Values() => Decode(Tensors());

    /// <summary>(code - zero point) * scale in float32, rounded to the scales' dtype.</summary>
    public float[] Decode(IReadOnlyList<TestTensor> tensors)
    {
        float[] scales = Stored.Values(DType, tensors[1].Data), values = new float[Rows * Columns];
        for (int i = 0; i < values.Length; i++)
        {
            int row = (int)(i / Columns), group = (int)(i % Columns / GroupSize);
            int zero = Symmetric ? 8 : Nibble(tensors[3].Data, (((row / 8 * Groups) + group) * 8) + (row % 8));
            values[i] = (Nibble(tensors[0].Data, i) - zero) * scales[(row * Groups) + group];
        }

        return Stored.Values(DType, Stored.Bytes(DType, values));
    }

    /// <summary>The first in the low half of each byte, as little-endian words of eight are.</summary>
    private static int Nibble(byte[] packed, int index) => (packed[index / 2] >> (index % 2 * 4)) & 15;
}
