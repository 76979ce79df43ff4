using System.Buffers.Binary;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>Which tensors make an INT4 weight, and which rule is broken when they do not.</summary>
public sealed class Int4WeightTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("F16", "I64")]
    [InlineData("BF16", "I32")]
    [InlineData("F32", "I64")]
    public void Read_SymmetricWeight_HasItsPartsAndNumbers(string scale, string shape)
    {
        QuantizedCheckpoint read = Read(
        [
            Packed(), TestTensor.Floats("a.weight_scale", scale, 9, 2), Shape(9, 32, shape), TestTensor.Numbered("a.bias", "F16", 9),
        ]);

        var weight = (Int4Weight)Assert.Single(read.Weights);
        Assert.Equal(("a.weight", "int4", 9L, 32L), (weight.Name, weight.Type, weight.Rows, weight.Columns));
        Assert.Equal((2L, 16L, true), (weight.GroupCount, weight.GroupSize, weight.IsSymmetric));
        Assert.Equal(["a.weight_packed", "a.weight_scale", "a.weight_shape"], weight.Parts.Select(part => part.Name));
        Assert.Equal(["a.bias"], read.Plain.Select(tensor => tensor.Name));
        Assert.Empty(read.Problems);
    }

    [Fact]
    public void Read_AsymmetricWeightInTwoFiles_IsFound()
    {
        CheckpointBuilder.Sharded(_folder["sharded"], [[Packed(), Shape(9, 32)], [Scale(), ZeroPoint()]]);

        QuantizedCheckpoint read = QuantizedCheckpoint.Read(Checkpoint.Open(_folder["sharded"], requireConfig: false));

        var weight = (Int4Weight)Assert.Single(read.Weights);
        Assert.False(weight.IsSymmetric);
        Assert.Equal(4, weight.Parts.Count());
        Assert.Empty(read.Problems);
    }

    [Fact]
    public void Read_Columns_AreThoseOfTheShapeNotOfThePackedWords()
    {
        // One group of 24 of the 24 columns that lie in 3 words; 20 columns would lie in as many, and are no multiple of 8.
        TestTensor[] parts = [TestTensor.Numbered("a.weight_packed", "I32", 9, 3), TestTensor.Floats("a.weight_scale", "F16", 9, 1)];

        Assert.Equal(24, Assert.Single(Read([.. parts, Shape(9, 24)]).Weights).Columns);
        Assert.Equal(("CT0105", "a.weight_scale", true), Facts(Assert.Single(Read([.. parts, Shape(9, 20)]).Problems)));
    }

    public static TheoryData<string, TestTensor[], string, string> Broken => new()
    {
        { "no scale", [Packed(), Shape(9, 32)], "CT0101", "a.weight_scale" },
        { "no shape", [Packed(), Scale()], "CT0101", "a.weight_shape" },
        { "scale alone", [Scale()], "CT0101", "a.weight_scale" },
        { "shape alone", [Shape(9, 32)], "CT0101", "a.weight_shape" },
        { "zero point alone", [ZeroPoint()], "CT0101", "a.weight_zero_point" },
        { "dense weight beside it", [.. Parts(), TestTensor.Numbered("a.weight", "F16", 9, 32)], "CT0102", "a.weight" },
        { "packed as a vector", [TestTensor.Numbered("a.weight_packed", "I32", 36), Scale(), Shape(9, 32)], "CT0103", "a.weight_packed" },
        { "packed as 3-D experts", [TestTensor.Numbered("a.weight_packed", "I32", 1, 9, 4), Scale(), Shape(9, 32)], "CT0103", "a.weight_packed" },
        { "packed of another dtype", [TestTensor.Numbered("a.weight_packed", "I64", 9, 4), Scale(), Shape(9, 32)], "CT0103", "a.weight_packed" },
        { "scale of another dtype", [Packed(), TestTensor.Numbered("a.weight_scale", "F64", 9, 2), Shape(9, 32)], "CT0103", "a.weight_scale" },
        { "scale of other rows", [Packed(), TestTensor.Floats("a.weight_scale", "F16", 8, 2), Shape(9, 32)], "CT0103", "a.weight_scale" },
        { "scale as a vector", [Packed(), TestTensor.Floats("a.weight_scale", "F16", 9), Shape(9, 32)], "CT0103", "a.weight_scale" },
        { "shape of another dtype", [Packed(), Scale(), TestTensor.Numbered("a.weight_shape", "F32", 2)], "CT0103", "a.weight_shape" },
        { "shape of three", [Packed(), Scale(), TestTensor.Numbered("a.weight_shape", "I64", 3)], "CT0103", "a.weight_shape" },
        { "zero point of other rows", [.. Parts(), TestTensor.Numbered("a.weight_zero_point", "I32", 9, 2)], "CT0103", "a.weight_zero_point" },
        { "zero point of other groups", [.. Parts(), TestTensor.Numbered("a.weight_zero_point", "I32", 2, 1)], "CT0103", "a.weight_zero_point" },
        { "zero point of bytes", [.. Parts(), TestTensor.Numbered("a.weight_zero_point", "I8", 9, 2)], "CT0103", "a.weight_zero_point" },
        { "shape of other rows", [Packed(), Scale(), Shape(8, 32)], "CT0104", "a.weight_shape" },
        { "shape of more columns", [Packed(), Scale(), Shape(9, 33)], "CT0104", "a.weight_shape" },
        { "negative columns", [Packed(), Scale(), Shape(9, -32)], "CT0104", "a.weight_shape" },
        { "endless columns", [Packed(), Scale(), Shape(9, long.MaxValue)], "CT0104", "a.weight_shape" },
        { "8-bit codes", [Packed(), Scale(), Shape(9, 16)], "CT0104", "a.weight_shape" },
        { "groups that do not divide", [Packed(), TestTensor.Floats("a.weight_scale", "F16", 9, 3), Shape(9, 32)], "CT0105", "a.weight_scale" },
        { "no groups", [Packed(), TestTensor.Floats("a.weight_scale", "F16", 9, 0), Shape(9, 32)], "CT0105", "a.weight_scale" },
        { "groups of 4", [Packed(), TestTensor.Floats("a.weight_scale", "F16", 9, 8), Shape(9, 32)], "CT0105", "a.weight_scale" },
        { "no columns", [TestTensor.Numbered("a.weight_packed", "I32", 9, 0), Scale(), Shape(9, 0)], "CT0105", "a.weight_scale" },
        { "ordered columns", [.. Parts(), TestTensor.Numbered("a.weight_g_idx", "I32", 32)], "CT0106", "a.weight_g_idx" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Read_BrokenWeight_NamesTheRuleAndIsRefusedOnDemand(string name, TestTensor[] tensors, string rule, string tensor)
    {
        QuantizedCheckpoint read = Read(tensors);

        Assert.True(read.Weights.Count == 0, name);
        Assert.Equal((rule, tensor, true), Facts(Assert.Single(read.Problems)));
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(read.ThrowIfBroken);
        Assert.Equal(("CT-LAYOUT", tensor), (error.Error.Code(), error.Tensor));
        // No part of a broken weight passes for a tensor of its own; a dense weight beside the packed one stays one.
        Assert.DoesNotContain(read.Plain, plain => plain.Name != "a.weight");
    }

    [Fact]
    public void Read_EightBitCodes_AreNamed()
    {
        QuantizedCheckpoint read = Read([Packed(), Scale(), Shape(9, 16)]);

        Assert.Contains("8-bit codes", Assert.Single(read.Problems).Text, StringComparison.Ordinal);
    }

    private static (string Rule, string Tensor, bool IsFatal) Facts(WeightProblem problem) => (problem.Rule, problem.Tensor, problem.IsFatal);

    private static TestTensor[] Parts() => [Packed(), Scale(), Shape(9, 32)];

    private static TestTensor Packed() => TestTensor.Numbered("a.weight_packed", "I32", 9, 4);

    private static TestTensor Scale() => TestTensor.Floats("a.weight_scale", "BF16", 9, 2);

    private static TestTensor ZeroPoint() => TestTensor.Numbered("a.weight_zero_point", "I32", 2, 2);

    private static TestTensor Shape(long rows, long columns, string dtype = "I64")
    {
        byte[] bytes = new byte[dtype == "I64" ? 16 : 8];
        if (dtype == "I64")
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes, rows);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), columns);
        }
        else
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)rows);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), (int)columns);
        }

        return new TestTensor("a.weight_shape", dtype, [2], bytes);
    }

    private QuantizedCheckpoint Read(IEnumerable<TestTensor> tensors) =>
        QuantizedCheckpoint.Read(Checkpoint.Open(_folder.Write("model.safetensors", CheckpointBuilder.Safetensors(tensors)), requireConfig: false));
}
