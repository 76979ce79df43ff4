using System.Runtime.InteropServices;
using System.Text.Json;
using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;
using Bnb.TestKit;

namespace Bnb.Quant.Tests;

/// <summary>Every byte that compressed-tensors wrote, on every path of this machine.</summary>
public class Groups4GoldenTests
{
    public static TheoryData<string, int, bool> Cases()
    {
        var cases = new TheoryData<string, int, bool>();
        byte[] manifest = File.ReadAllBytes(Golden.File("int4", "int4_cases.json"));
        foreach (JsonElement row in JsonDocument.Parse(manifest).RootElement.EnumerateArray())
        {
            cases.Add(
                row.GetProperty("file").GetString()!,
                row.GetProperty("group_size").GetInt32(),
                row.GetProperty("symmetric").GetBoolean());
        }

        return cases;
    }

    [Fact]
    public void Cases_OfTheManifest_AreTheFilesThereAre() =>
        Assert.Equal(
            Directory.GetFiles(Golden.File("int4"), "*.safetensors").Select(Path.GetFileName).Order(),
            Cases().Select(row => row.Data.Item1).Order());

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantize_GoldenInput_GivesGoldenBytes(string file, int groupSize, bool symmetric)
    {
        GoldenTensors golden = GoldenTensors.Load("int4", file);
        ElementType type = TypeOf(golden, "A");
        foreach (KernelPath path in KernelPaths.Available)
        {
            Quantized4Groups result = Groups4.Run(type, groupSize, symmetric, golden.Bytes("A"), path);
            Groups4.AssertSame(golden.Bytes("weight_scale"), result.Scales, $"{path}: scale byte");
            Groups4.AssertSame(golden.Bytes("weight_packed"), result.Packed, $"{path}: packed byte");
            Assert.True(result.Finite);
            if (!symmetric) Assert.Equal(golden.Bytes("weight_zero_point"), PackZeroPoints(golden, result.ZeroPoints));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Dequantize_GoldenCodes_GivesGoldenValues(string file, int groupSize, bool symmetric)
    {
        GoldenTensors golden = GoldenTensors.Load("int4", file);
        ElementType type = TypeOf(golden, "weight_scale");
        sbyte[] zeros = symmetric ? [] : UnpackZeroPoints(golden);
        var weights = new Quantized4Groups(golden.Bytes("weight_packed"), golden.Bytes("weight_scale"), zeros, true);
        byte[] expected = golden.Bytes("decompressed");
        var widened = new float[expected.Length / type.Size()];
        Widen.ToSingle(type, expected, widened);
        foreach (KernelPath path in KernelPaths.Available)
        {
            Groups4.AssertSame(expected, Groups4.Decode(type, groupSize, weights, type, path), $"{path}: byte");
            var values = new float[widened.Length];
            DequantizeGroups4.Run(type, groupSize, weights.Packed, weights.Scales, zeros, values, path);
            Groups4.AssertSame(Bytes(widened), Bytes(values), $"{path}: float32 byte");
        }
    }

    private static byte[] PackZeroPoints(GoldenTensors golden, sbyte[] zeros)
    {
        int rows = (int)golden.Shape("A")[0], groups = zeros.Length / rows;
        var packed = new List<int>();
        for (int row = 0; row < rows; row += ZeroPoints4.RowsPerWord)
        {
            int count = Math.Min(ZeroPoints4.RowsPerWord, rows - row);
            var words = new int[groups];
            ZeroPoints4.Pack(count, groups, zeros.AsSpan(row * groups, count * groups), words);
            packed.AddRange(words);
        }

        return MemoryMarshal.AsBytes(packed.ToArray().AsSpan()).ToArray();
    }

    private static sbyte[] UnpackZeroPoints(GoldenTensors golden)
    {
        int[] packed = MemoryMarshal.Cast<byte, int>(golden.Bytes("weight_zero_point")).ToArray();
        int rows = (int)golden.Shape("decompressed")[0], groups = (int)golden.Shape("weight_scale")[1];
        var zeros = new sbyte[rows * groups];
        for (int row = 0; row < rows; row += ZeroPoints4.RowsPerWord)
        {
            int count = Math.Min(ZeroPoints4.RowsPerWord, rows - row);
            ReadOnlySpan<int> words = packed.AsSpan(row / ZeroPoints4.RowsPerWord * groups, groups);
            ZeroPoints4.Unpack(count, groups, words, zeros.AsSpan(row * groups, count * groups));
        }

        return zeros;
    }

    private static ElementType TypeOf(GoldenTensors golden, string name) => Enum.Parse<ElementType>(golden.Dtype(name));

    private static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
}
