using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Diff;

/// <summary>Plain tensors against plain tensors.</summary>
public sealed class DiffPlainTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("source")]
    [InlineData("nf4-dq", "model.safetensors")]
    [InlineData("fp4", "model.safetensors")]
    [InlineData("int8", "model.safetensors")]
    public void Diff_CheckpointWithItself_IsEqual(params string[] place)
    {
        string path = Golden.File(["tiny-llama", .. place]);

        DiffOf diff = DiffOf.Paths(path, path);

        Assert.Equal(ExitCode.Done, diff.Run.Exit);
        Assert.Empty(diff.Differing);
        Assert.True(diff.Result.GetProperty("tensors").GetInt32() > 5);
        Assert.Equal(diff.Result.GetProperty("tensors").GetInt32(), diff.Result.GetProperty("tensors_equal").GetInt32());
    }

    [Fact]
    public void Diff_ShardsAgainstOneFile_IsEqual()
    {
        TestTensor[] tensors = [TestTensor.Floats("a", "BF16", 3, 5), TestTensor.Floats("b", "F32", 7), TestTensor.Numbered("c", "I64", 2)];
        CheckpointBuilder.SingleFile(_folder["one"], tensors);
        CheckpointBuilder.Sharded(_folder["many"], [[tensors[2]], [tensors[0], tensors[1]]]);

        Assert.Equal(ExitCode.Done, DiffOf.Paths(_folder["one"], _folder["many"]).Run.Exit);
    }

    [Fact]
    public void Diff_TensorsOnOneSide_AreAddedAndRemoved()
    {
        TestTensor both = TestTensor.Floats("both", "F16", 4, 4);

        DiffOf diff = DiffOf.Tensors(
            _folder, [both, TestTensor.Floats("gone", "F32", 2)], [both, TestTensor.Floats("new", "BF16", 3, 2), TestTensor.Numbered("new.id", "U8", 5)]);

        Assert.Equal(
            ["gone removed", "new added", "new.id added"],
            diff.Differing.Select(weight => $"{weight.GetProperty("name")} {weight.GetProperty("status")}"));
        Assert.False(diff.Of("new").TryGetProperty("a", out _));
        Assert.Equal("BF16", diff.Of("new").GetProperty("b").GetProperty("dtype").GetString());
        Assert.Equal([3L, 2L], diff.Of("new").GetProperty("b").GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()));
    }

    [Fact]
    public void Diff_WiderDTypeSameValues_IsRetypedWithoutError()
    {
        TestTensor narrow = TestTensor.Floats("w", "BF16", 8, 9);
        var wide = new TestTensor("w", "F32", [8, 9], [.. narrow.Data.Chunk(2).SelectMany(pair => (byte[])[0, 0, .. pair])]);

        JsonElement weight = DiffOf.Tensors(_folder, [narrow], [wide]).Only();

        Assert.Equal(["dtype: BF16 -> F32"], DiffOf.Changes(weight));
        Assert.Equal(JsonValueKind.Null, weight.GetProperty("bytes_equal").ValueKind);
        Assert.Equal(0, weight.GetProperty("values").GetProperty("differing").GetInt64());
        Assert.Equal(0, weight.GetProperty("values").GetProperty("relative_rmse").GetDouble());
    }

    [Fact]
    public void Diff_OtherShape_HasNoValues()
    {
        JsonElement weight = DiffOf.Tensors(_folder, [TestTensor.Floats("w", "F32", 6, 4)], [TestTensor.Floats("w", "F32", 4, 6)]).Only();

        Assert.Equal(["shape: [6, 4] -> [4, 6]"], DiffOf.Changes(weight));
        Assert.False(weight.TryGetProperty("values", out _));
        Assert.Equal(JsonValueKind.Null, weight.GetProperty("bytes_equal").ValueKind);
    }

    [Fact]
    public void Diff_FloatAgainstInteger_HasNoValues()
    {
        JsonElement weight = DiffOf.Tensors(_folder, [TestTensor.Floats("w", "F32", 6)], [TestTensor.Numbered("w", "I32", 6)]).Only();

        Assert.Equal(["dtype: F32 -> I32"], DiffOf.Changes(weight));
        Assert.False(weight.TryGetProperty("values", out _));
    }

    [Theory]
    [InlineData("I64", 8)]
    [InlineData("I32", 4)]
    [InlineData("U16", 2)]
    [InlineData("U8", 1)]
    [InlineData("BOOL", 1)]
    [InlineData("F8_E4M3", 1)]
    [InlineData("C64", 8)]
    public void Diff_IntegersAndOthers_AreComparedByElement(string dtype, int size)
    {
        TestTensor a = TestTensor.Numbered("ids", dtype, 100, 3), b = a with { Data = [.. a.Data] };
        b.Data[(17 * size) + size - 1] ^= 1;
        b.Data[299 * size] ^= 1;

        JsonElement weight = DiffOf.Tensors(_folder, [a], [b]).Only();

        Assert.False(weight.GetProperty("bytes_equal").GetBoolean());
        Assert.Equal(
            "{\"count\":300,\"differing\":2,\"first\":17}", weight.GetProperty("values").GetRawText());
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("F32")]
    public void Diff_Floats_ErrorIsThatOfTheDefinition(string dtype)
    {
        TestTensor a = TestTensor.Floats("w", dtype, 40, 50), b = TestTensor.Floats("w", dtype, 40, 50);
        int size = dtype == "F32" ? 4 : 2;
        for (int i = 333; i < 2000; i += 7) b.Data[(i * size) + size - 1] ^= 0x80;
        float[] valuesA = Widen(a), valuesB = Widen(b);

        JsonElement values = DiffOf.Tensors(_folder, [a], [b]).Only().GetProperty("values");

        AssertError(valuesA, valuesB, values);
        Assert.Equal(333, values.GetProperty("first").GetInt64());
    }

    [Fact]
    public void Diff_F64BeyondFloat32_BytesDifferAndValuesDoNot()
    {
        byte[] a = BitConverter.GetBytes(0.1), b = BitConverter.GetBytes(Math.BitIncrement(0.1));

        JsonElement weight = DiffOf.Tensors(_folder, [new TestTensor("w", "F64", [1], a)], [new TestTensor("w", "F64", [1], b)]).Only();

        Assert.False(weight.GetProperty("bytes_equal").GetBoolean());
        Assert.Equal(0, weight.GetProperty("values").GetProperty("differing").GetInt64());
    }

    [Fact]
    public void Diff_SameNaN_IsEqual()
    {
        TestTensor tensor = Values(1, float.NaN, float.NegativeInfinity, -0f);

        Assert.Equal(ExitCode.Done, DiffOf.Tensors(_folder, [tensor], [tensor]).Run.Exit);
    }

    [Fact]
    public void Diff_NaNAgainstNumber_IsCountedAndLeftOutOfTheError()
    {
        DiffOf diff = DiffOf.Tensors(
            _folder, [Values(1, float.NaN, 2, float.PositiveInfinity, float.NaN, 4)], [Values(1, 3, 2.5f, float.NegativeInfinity, float.NaN, 4)]);

        JsonElement values = diff.Only().GetProperty("values");
        Assert.Equal(3, values.GetProperty("differing").GetInt64());
        Assert.Equal(2, values.GetProperty("non_finite").GetInt64());
        Assert.Equal(1, values.GetProperty("first").GetInt64());
        Assert.Equal(0.5, values.GetProperty("max_abs").GetDouble());
        Assert.Equal(Math.Sqrt(0.25 / 3), values.GetProperty("rmse").GetDouble(), 12);
        Assert.Equal(Math.Sqrt(0.25 / 21), values.GetProperty("relative_rmse").GetDouble(), 12);
        Assert.Contains("NaN or Inf", ToolRun.Of("diff", _folder["a.safetensors"], _folder["b.safetensors"]).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Diff_TwoZeros_DifferWithoutError()
    {
        JsonElement values = DiffOf.Tensors(_folder, [Values(1, 0f)], [Values(1, -0f)]).Only().GetProperty("values");

        Assert.Equal((1, 1L, 0d), (values.GetProperty("differing").GetInt32(), values.GetProperty("first").GetInt64(), values.GetProperty("max_abs").GetDouble()));
    }

    [Fact]
    public void Diff_FromAllZero_HasNoRelativeError()
    {
        JsonElement values = DiffOf.Tensors(_folder, [Values(0, 0)], [Values(0, 2)]).Only().GetProperty("values");

        Assert.Equal(JsonValueKind.Null, values.GetProperty("relative_rmse").ValueKind);
        Assert.Equal(Math.Sqrt(2), values.GetProperty("rmse").GetDouble(), 12);
    }

    [Fact]
    public void Diff_ScalarsAndEmptyTensors_AreCompared()
    {
        TestTensor[] a = [Values(1) with { Name = "s", Shape = [] }, new("e", "F32", [0, 4], []), new("i", "I32", [0], [])];

        Assert.Equal(ExitCode.Done, DiffOf.Tensors(_folder, a, a).Run.Exit);
        JsonElement weight = DiffOf.Tensors(_folder, a, [Values(2) with { Name = "s", Shape = [] }, a[1], a[2]]).Only();
        Assert.Equal(1, weight.GetProperty("values").GetProperty("max_abs").GetDouble());
    }

    /// <summary>max, RMSE and relative RMSE over all values.</summary>
    internal static void AssertError(float[] a, float[] b, JsonElement values)
    {
        double error = 0, reference = 0, max = 0;
        long differing = 0;
        for (int i = 0; i < a.Length; i++)
        {
            double delta = (double)b[i] - a[i];
            error += delta * delta;
            reference += (double)a[i] * a[i];
            max = Math.Max(max, Math.Abs(delta));
            if (BitConverter.SingleToUInt32Bits(a[i]) != BitConverter.SingleToUInt32Bits(b[i])) differing++;
        }

        Assert.Equal(a.Length, values.GetProperty("count").GetInt64());
        Assert.Equal(differing, values.GetProperty("differing").GetInt64());
        Assert.Equal(max, values.GetProperty("max_abs").GetDouble());
        Assert.Equal(Math.Sqrt(error / a.Length), values.GetProperty("rmse").GetDouble(), 1e-12);
        Assert.Equal(Math.Sqrt(error / reference), values.GetProperty("relative_rmse").GetDouble(), 1e-12);
    }

    private static TestTensor Values(params float[] values) => new("w", "F32", [values.Length], HandPacked.Bytes(values));

    private static float[] Widen(TestTensor tensor) => tensor.DType switch
    {
        "F32" => HandPacked.Floats(tensor.Data),
        "F16" => [.. tensor.Data.Chunk(2).Select(pair => (float)BitConverter.ToHalf(pair))],
        _ => [.. tensor.Data.Chunk(2).Select(pair => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(pair) << 16))],
    };
}
