using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests.ScaledCodes;

/// <summary>Every value that the libraries of FP8, MXFP4 and NVFP4 decode, on every path of this machine.</summary>
public class ScaledGoldenTests
{
    public static TheoryData<string> Fp8Blocks => Names("fp8_block", ".weight");

    public static TheoryData<string> Fp8Channels => Names("fp8_channel", ".weight");

    public static TheoryData<string> Fp8Tensors => Names("fp8_tensor", ".weight");

    public static TheoryData<string> GptOss => Names("mxfp4", "_blocks");

    [Theory]
    [MemberData(nameof(Fp8Blocks))]
    public void Decode_Fp8Blocks_GivesTheLibrarysValues(string name)
    {
        GoldenTensors golden = Load("fp8_block", "tensors.safetensors");
        bool isFp4 = golden.Dtype(name + ".weight") == "I8";
        byte[] codes = golden.Bytes(name + ".weight");
        int columns = (int)golden.Shape(name + ".weight")[^1] * (isFp4 ? 2 : 1);
        (int blockRows, int blockColumns) = isFp4 || name.StartsWith("mxfp8", StringComparison.Ordinal) ? (1, 32) : (128, 128);
        var weight = new GridWeight(
            isFp4 ? ScaledCode.E2M1 : ScaledCode.E4M3,
            isFp4 ? GridWeight.Unpack(codes) : codes,
            GridWeight.ReadScales(golden, name + ".weight_scale_inv"),
            columns, blockRows, blockColumns, ElementType.F32);
        AssertGolden(weight, Load("fp8_block", "expected.safetensors"), name + ".weight");
    }

    [Theory]
    [MemberData(nameof(Fp8Channels))]
    public void Decode_Fp8Channels_GivesTheLibrarysValues(string name) => AssertRows("fp8_channel", name, 1);

    [Theory]
    [MemberData(nameof(Fp8Tensors))]
    public void Decode_Fp8Tensors_GivesTheLibrarysValues(string name) => AssertRows("fp8_tensor", name, int.MaxValue);

    [Theory]
    [InlineData("k_proj", 128, 128)]
    [InlineData("q_proj", 128, 128)]
    [InlineData("v_proj", 128, 128)]
    [InlineData("zeros", 128, 128)]
    public void Decode_Fp8BlocksOfCompressedTensors_GivesTheLibrarysValues(string name, int blockRows, int blockColumns)
    {
        string weight = $"layers.0.{name}.weight";
        GoldenTensors golden = Load("fp8_block", "compressed_tensors", "tensors.safetensors");
        AssertGolden(
            Fp8(golden, weight, blockRows, blockColumns), Load("fp8_block", "compressed_tensors", "expected.safetensors"), weight);
    }

    [Theory]
    [MemberData(nameof(GptOss))]
    public void Decode_Mxfp4OfGptOss_GivesTheLibrarysValues(string name)
    {
        GoldenTensors golden = Load("mxfp4", "tensors.safetensors");
        long[] shape = golden.Shape(name + "_blocks");
        int rows = (int)shape[1], columns = (int)shape[2] * 32;
        var weight = new GridWeight(
            ScaledCode.TwiceE2M1,
            GridWeight.Unpack(golden.Bytes(name + "_blocks")),
            GridWeight.ReadScales(golden, name + "_scales", ScaleCode.HalfExponent),
            columns, 1, 32, ElementType.BF16);
        byte[] expected = Transposed(Load("mxfp4", "expected.safetensors").Bytes(name), (int)shape[0], columns, rows);
        foreach (KernelPath path in KernelPaths.Available)
            GridWeight.AssertSame(ElementType.BF16, expected, weight.Decode(ElementType.BF16, path), $"{name} on {path}");
    }

    [Theory]
    [InlineData("allscales")]
    [InlineData("k_proj")]
    [InlineData("q_proj")]
    [InlineData("range")]
    public void Decode_Mxfp4OfCompressedTensors_GivesTheLibrarysValues(string name)
    {
        string module = $"layers.0.{name}";
        GoldenTensors golden = Load("mxfp4", "compressed_tensors", "tensors.safetensors");
        byte[] codes = GridWeight.Unpack(golden.Bytes(module + ".weight_packed"));
        var weight = new GridWeight(
            ScaledCode.E2M1, codes, GridWeight.ReadScales(golden, module + ".weight_scale"),
            (int)golden.Shape(module + ".weight_packed")[1] * 2, 1, 32, ElementType.BF16);
        AssertGolden(weight, Load("mxfp4", "compressed_tensors", "expected.safetensors"), module + ".weight");
    }

    [Theory]
    [InlineData("allcodes")]
    [InlineData("f32src")]
    [InlineData("k_proj")]
    [InlineData("q_proj")]
    [InlineData("range")]
    [InlineData("zeros")]
    public void Decode_Nvfp4OfCompressedTensors_GivesTheLibrarysValues(string name)
    {
        string module = $"layers.0.{name}";
        GoldenTensors golden = Load("nvfp4", "compressed_tensors", "tensors.safetensors");
        float[] scales = GridWeight.ReadScales(golden, module + ".weight_scale");
        DecodeScales.Divide(scales, golden.Floats(module + ".weight_global_scale")[0]);
        var weight = new GridWeight(
            ScaledCode.E2M1, GridWeight.Unpack(golden.Bytes(module + ".weight_packed")), scales,
            (int)golden.Shape(module + ".weight_packed")[1] * 2, 1, 16, ElementType.BF16);
        AssertGolden(weight, Load("nvfp4", "compressed_tensors", "expected.safetensors"), module + ".weight");
    }

    [Theory]
    [InlineData("tensors", "expected", "mlp.down_proj", false)]
    [InlineData("tensors", "expected", "self_attn.q_proj", false)]
    [InlineData("tensors_by_modelopt", "expected_by_modelopt", "mlp.up_proj", true)]
    [InlineData("tensors_by_modelopt", "expected_by_modelopt", "self_attn.o_proj", true)]
    public void Decode_Nvfp4OfModelopt_GivesTheLibrarysValues(string tensors, string expected, string name, bool plainZeros)
    {
        string module = $"model.layers.0.{name}";
        GoldenTensors golden = Load("nvfp4", "modelopt", tensors + ".safetensors");
        float[] scales = GridWeight.ReadScales(golden, module + ".weight_scale");
        DecodeScales.Multiply(scales, golden.Floats(module + ".weight_scale_2")[0]);
        byte[] codes = GridWeight.Unpack(golden.Bytes(module + ".weight"));
        if (plainZeros) UnpackCodes.DropNegativeZeros(codes);
        var weight = new GridWeight(
            ScaledCode.E2M1, codes, scales, (int)golden.Shape(module + ".weight")[1] * 2, 1, 16, ElementType.F32);
        AssertGolden(weight, Load("nvfp4", "modelopt", expected + ".safetensors"), module + ".weight");
    }

    private static void AssertRows(string folder, string name, int blockRows)
    {
        GoldenTensors golden = Load(folder, "tensors.safetensors"), expected = Load(folder, "expected.safetensors");
        GridWeight weight = Fp8(golden, name + ".weight", blockRows, int.MaxValue / 2);
        AssertGolden(weight, expected, name + ".weight");
        if (expected.Names.Contains(name + ".weight.to_bf16")) AssertGolden(weight, expected, name + ".weight.to_bf16");
    }

    private static GridWeight Fp8(GoldenTensors golden, string weight, int blockRows, int blockColumns) => new(
        ScaledCode.E4M3,
        golden.Bytes(weight),
        GridWeight.ReadScales(golden, weight + "_scale"),
        (int)golden.Shape(weight)[1],
        blockRows,
        blockColumns,
        Enum.Parse<ElementType>(golden.Dtype(weight + "_scale")));

    private static void AssertGolden(GridWeight weight, GoldenTensors golden, string name)
    {
        var type = Enum.Parse<ElementType>(golden.Dtype(name));
        foreach (KernelPath path in KernelPaths.Available)
            GridWeight.AssertSame(type, golden.Bytes(name), weight.Decode(type, path), $"{name} on {path}");
    }

    private static byte[] Transposed(byte[] stored, int matrices, int rows, int columns)
    {
        var result = new byte[stored.Length];
        for (int i = 0; i < stored.Length / 2; i++)
        {
            int matrix = i / (rows * columns), row = i / columns % rows, column = i % columns;
            stored.AsSpan(i * 2, 2).CopyTo(result.AsSpan(((((matrix * columns) + column) * rows) + row) * 2));
        }

        Assert.Equal(matrices * rows * columns * 2, stored.Length);
        return result;
    }

    private static GoldenTensors Load(params string[] parts) => GoldenTensors.Load(["sources", .. parts]);

    private static TheoryData<string> Names(string folder, string ending) =>
        [.. Load(folder, "tensors.safetensors").Names
            .Where(name => name.EndsWith(ending, StringComparison.Ordinal)).Select(name => name[..^ending.Length])];
}
