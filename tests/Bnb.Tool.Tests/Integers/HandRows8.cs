using Bnb.TestKit;

namespace Bnb.Tool.Tests.Integers;

/// <summary>An LLM.int8() weight made by hand: random codes and scales, and the values it stands for, computed one by one.</summary>
internal sealed record HandRows8
{
    public const string Module = "model.layers.0.mlp.up_proj";
    public const string Config = """{"model_type": "llama", "torch_dtype": "bfloat16", "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": true}}""";

    public string Path { get; init; } = Module;

    public long Rows { get; init; } = 48;

    public long Columns { get; init; } = 96;

    /// <summary>Files of early releases have no weight_format.</summary>
    public bool HasFormat { get; init; } = true;

    public int Seed { get; init; } = 1;

    public string Key => Path + ".weight";

    /// <summary>The codes, then SCB, then weight_format.</summary>
    public List<TestTensor> Tensors()
    {
        var random = new Random(Seed);
        byte[] codes = new byte[Rows * Columns];
        random.NextBytes(codes);
        float[] absmax = new float[Rows];
        for (int i = 0; i < absmax.Length; i++) absmax[i] = 0.01f + (random.NextSingle() * 0.2f);
        List<TestTensor> tensors = [new(Key, "I8", [Rows, Columns], codes), new(Path + ".SCB", "F32", [Rows], Stored.Bytes("F32", absmax))];
        if (HasFormat) tensors.Add(new TestTensor(Path + ".weight_format", "U8", [], [0]));
        return tensors;
    }

    /// <summary>(code * SCB) * (1/127), each product rounded to float32, then rounded to the dtype.</summary>
    public float[] Values(string dtype) => Decode(Tensors(), dtype);

    public float[] Decode(IReadOnlyList<TestTensor> tensors, string dtype)
    {
        byte[] codes = tensors[0].Data;
        float[] absmax = Stored.Values("F32", tensors[1].Data), values = new float[codes.Length];
        for (int i = 0; i < values.Length; i++) values[i] = (sbyte)codes[i] * absmax[i / Columns] * (float)(1.0 / 127);
        return Stored.Values(dtype, Stored.Bytes(dtype, values));
    }
}
