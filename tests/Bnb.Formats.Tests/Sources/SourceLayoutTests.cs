using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests.Sources;

/// <summary>Which tensors make an FP8, FP4, GPTQ or AWQ weight, and which rule is broken when they do not.</summary>
public sealed class SourceLayoutTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, TestTensor[], long, long> Grids => new()
    {
        { "one for all, a scalar", [Fp8(9, 300), Scale("_scale")], 9, 300 },
        { "one for all", [Fp8(9, 300), Scale("_scale_inv", 1)], 9, 300 },
        { "one a row", [Fp8(9, 300), Scale("_scale", 9, 1)], 1, 300 },
        { "one a row, a vector", [Fp8(9, 300), Scale("_scale", 9)], 1, 300 },
        { "blocks", [Fp8(200, 300), Scale("_scale_inv", 2, 3)], 128, 128 },
        { "blocks wider than the matrix", [Fp8(9, 30), Scale("_scale_inv", 1, 1)], 9, 30 },
        { "groups of 32", [Fp8(9, 96), TestTensor.Numbered("a.weight_scale_inv", "U8", 9, 3)], 1, 32 },
        { "experts with one each", [Fp8(2, 200, 300), Scale("_scale", 2, 1, 1)], 200, 300 },
        { "experts with one each, a vector", [Fp8(2, 200, 300), Scale("_scale", 2)], 200, 300 },
        { "experts with blocks", [Fp8(2, 200, 300), Scale("_scale_inv", 2, 2, 3)], 128, 128 },
        { "experts with one a row", [Fp8(2, 200, 300), Scale("_scale", 2, 200, 1)], 1, 300 },
        { "as many experts as rows", [Fp8(1, 5, 30), Scale("_scale", 1, 5, 1)], 1, 30 },
    };

    [Theory]
    [MemberData(nameof(Grids))]
    public void Read_Fp8Scales_HaveTheirBlock(string name, TestTensor[] tensors, long blockRows, long blockColumns)
    {
        QuantizedCheckpoint read = Read(tensors);

        Assert.True(read.Problems.Count == 0, name);
        var weight = (ScaledFloatWeight)Assert.Single(read.Weights);
        Assert.Equal((blockRows, blockColumns), (weight.BlockRows, weight.BlockColumns));
        Assert.Equal(read.Source.Tensors[0].Shape, weight.DenseShape);
        Assert.Empty(read.Plain);
    }

    [Fact]
    public void Read_ScalesOfActivations_GoWithTheWeight()
    {
        QuantizedCheckpoint read = Read(
            [Fp8(9, 300), Scale("_scale"), TestTensor.Floats("a.input_scale", "F32"), TestTensor.Floats("a.k_scale", "F32"), TestTensor.Floats("b.input_scale", "F32")]);

        Assert.Equal(["a.weight", "a.weight_scale", "a.input_scale", "a.k_scale"], Assert.Single(read.Weights).Parts.Select(part => part.Name));
        Assert.Equal(["b.input_scale"], read.Plain.Select(tensor => tensor.Name));
    }

    [Fact]
    public void Read_Fp8ThatWasOnlyCast_IsNamedAndNotRead()
    {
        WeightProblem problem = Assert.Single(Read([Fp8(9, 300)]).Problems);

        Assert.Equal(("QNT0101", "a.weight"), (problem.Rule, problem.Tensor));
    }

    public static TheoryData<string, TestTensor[], string, string> Broken => new()
    {
        { "fp8 vector", [Fp8(9), Scale("_scale")], "FP0102", "a.weight" },
        { "fp8 scale of another dtype", [Fp8(9, 300), TestTensor.Numbered("a.weight_scale", "F64")], "FP0103", "a.weight_scale" },
        { "fp8 scales of no block", [Fp8(200, 300), Scale("_scale_inv", 3, 3)], "FP0104", "a.weight_scale_inv" },
        { "fp8 scales of other experts", [Fp8(2, 200, 300), Scale("_scale_inv", 3, 2, 3)], "FP0104", "a.weight_scale_inv" },
        { "fp8 scales in 4 dimensions", [Fp8(9, 300), Scale("_scale", 1, 1, 9, 1)], "FP0104", "a.weight_scale" },
        { "fp4 without global scale", [Bytes("a.weight_packed", 4, 8), E4M3("a.weight_scale", 4, 1)], "FP0101", "a.weight_global_scale" },
        { "fp4 of a vector", [Bytes("a.weight_packed", 16), Bytes("a.weight_scale", 1)], "FP0102", "a.weight_packed" },
        { "fp4 scales of other columns", [Bytes("a.weight_packed", 4, 32), Bytes("a.weight_scale", 4, 1)], "FP0104", "a.weight_scale" },
        { "fp4 of odd columns", [Bytes("a.weight_packed", 4, 17), Bytes("a.weight_scale", 4, 2)], "FP0104", "a.weight_scale" },
        { "nvfp4 with two global scales", [Bytes("a.weight_packed", 4, 8), E4M3("a.weight_scale", 4, 1), TestTensor.Floats("a.weight_global_scale", "F32", 2)], "FP0103", "a.weight_global_scale" },
        { "nvfp4 with float scales", [Bytes("a.weight_packed", 4, 8), TestTensor.Floats("a.weight_scale", "F32", 4, 1), TestTensor.Floats("a.weight_global_scale", "F32", 1)], "FP0103", "a.weight_scale" },
        { "gpt-oss blocks of 8", [Bytes("a_blocks", 1, 2, 3, 8), Bytes("a_scales", 1, 2, 3)], "FP0102", "a_blocks" },
        { "gpt-oss scales of other rows", [Bytes("a_blocks", 1, 2, 3, 16), Bytes("a_scales", 1, 3, 2)], "FP0103", "a_scales" },
        { "gptq without scales", [Word("a.qweight", 4, 8), Word("a.qzeros", 1, 1)], "GQ0101", "a.scales" },
        { "gptq without zero points", [Word("a.qweight", 4, 8), TestTensor.Floats("a.scales", "F16", 1, 8)], "GQ0101", "a.qzeros" },
        { "gptq of bytes", [Bytes("a.qweight", 4, 8), Word("a.qzeros", 1, 1), TestTensor.Floats("a.scales", "F16", 1, 8)], "GQ0102", "a.qweight" },
        { "gptq with a vector of scales", [Word("a.qweight", 4, 8), Word("a.qzeros", 1, 1), TestTensor.Floats("a.scales", "F16", 8)], "GQ0102", "a.scales" },
        { "gptq of 3 bits", [Word("a.qweight", 12, 32), Word("a.qzeros", 1, 3), TestTensor.Floats("a.scales", "F16", 1, 32)], "GQ0103", "a.qzeros" },
        { "gptq zero points of other groups", [Word("a.qweight", 4, 8), Word("a.qzeros", 2, 1), TestTensor.Floats("a.scales", "F16", 1, 8)], "GQ0103", "a.qzeros" },
        { "gptq without groups", [Word("a.qweight", 4, 8), Word("a.qzeros", 0, 1), TestTensor.Floats("a.scales", "F16", 0, 8)], "GQ0103", "a.qzeros" },
        { "gptq with a short index", [Word("a.qweight", 4, 8), Word("a.qzeros", 1, 1), TestTensor.Floats("a.scales", "F16", 1, 8), Word("a.g_idx", 31)], "GQ0104", "a.g_idx" },
        { "gptq groups that do not divide", [Word("a.qweight", 4, 8), Word("a.qzeros", 5, 1), TestTensor.Floats("a.scales", "F16", 5, 8), ], "GQ0105", "a.scales" },
        { "words of no layout", [Word("a.qweight", 4, 3), Word("a.qzeros", 1, 1), TestTensor.Floats("a.scales", "F16", 1, 8)], "GQ0103", "a.qweight" },
        { "awq groups that do not divide", [Word("a.qweight", 64, 1), Word("a.qzeros", 3, 1), TestTensor.Floats("a.scales", "F16", 3, 8)], "GQ0105", "a.scales" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Read_BrokenSource_NamesTheRuleAndIsRefusedOnDemand(string name, TestTensor[] tensors, string rule, string tensor)
    {
        QuantizedCheckpoint read = Read(tensors);

        Assert.True(read.Weights.Count == 0, name);
        WeightProblem problem = Assert.Single(read.Problems);
        Assert.Equal((rule, tensor, true), (problem.Rule, problem.Tensor, problem.IsFatal));
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(read.ThrowIfBroken);
        Assert.Equal(("SRC-LAYOUT", tensor), (error.Error.Code(), error.Tensor));
        Assert.Empty(read.Plain);
    }

    [Fact]
    public void Read_Fp8GridOfAnotherBlockThanConfigured_IsRefused()
    {
        QuantizedCheckpoint read = Read(
            [Fp8(200, 300), Scale("_scale_inv", 2, 3)], """{"quantization_config": {"quant_method": "fp8", "weight_block_size": [64, 64]}}""");

        Assert.Equal("FP0104", Assert.Single(read.Problems).Rule);
    }

    [Fact]
    public void Read_WeightThatScalesItsInputs_IsRefused()
    {
        QuantizedCheckpoint fp4 = Read(
            [Bytes("a.weight", 2, 16), E4M3("a.weight_scale", 2, 2), TestTensor.Floats("a.weight_scale_2", "F32"), TestTensor.Floats("a.pre_quant_scale", "BF16", 32)]);
        QuantizedCheckpoint fp8 = Read([Fp8(2, 32), Scale("_scale"), TestTensor.Floats("a.pre_quant_scale", "BF16", 32)]);

        foreach (QuantizedCheckpoint read in (QuantizedCheckpoint[])[fp4, fp8])
        {
            WeightProblem problem = Assert.Single(read.Problems);
            Assert.Equal(("FP0105", "a.pre_quant_scale"), (problem.Rule, problem.Tensor));
            Assert.Empty(read.Weights);
        }
    }

    [Theory]
    [InlineData("\"quant_method\": \"gptq\", \"checkpoint_format\": \"marlin\"", "format is marlin")]
    [InlineData("\"quant_method\": \"awq\", \"version\": \"gemv\"", "version is gemv")]
    [InlineData("\"quant_method\": \"awq\", \"format\": \"gemv\"", "format is gemv")]
    [InlineData("\"quant_method\": \"gptq\", \"is_marlin_format\": true", "is_marlin_format is true")]
    public void Read_WordsInAnotherOrder_AreRefused(string members, string text)
    {
        TestTensor[] tensors = [Word("a.qweight", 4, 8), Word("a.qzeros", 1, 1), TestTensor.Floats("a.scales", "F16", 1, 8)];
        QuantizedCheckpoint read = Read([.. tensors, .. tensors.Select(tensor => tensor with { Name = "b" + tensor.Name[1..] })], "{\"quantization_config\": {" + members + "}}");

        WeightProblem problem = Assert.Single(read.Problems);
        Assert.Equal(("GQ0106", "config.json"), (problem.Rule, problem.Tensor));
        Assert.StartsWith(text, problem.Text, StringComparison.Ordinal);
        Assert.Empty(read.Weights);
        Assert.Empty(read.Plain);
    }

    private static TestTensor Fp8(params long[] shape) => TestTensor.Numbered("a.weight", "F8_E4M3", shape);

    private static TestTensor E4M3(string name, params long[] shape) => TestTensor.Numbered(name, "F8_E4M3", shape);

    private static TestTensor Scale(string ending, params long[] shape) => TestTensor.Floats("a.weight" + ending, "F32", shape);

    private static TestTensor Bytes(string name, params long[] shape) => TestTensor.Numbered(name, "U8", shape);

    private static TestTensor Word(string name, params long[] shape) => TestTensor.Numbered(name, "I32", shape);

    private QuantizedCheckpoint Read(IEnumerable<TestTensor> tensors, string? config = null) =>
        QuantizedCheckpoint.Read(Checkpoint.Open(CheckpointBuilder.SingleFile(_folder["model"], tensors, config), requireConfig: false));
}
