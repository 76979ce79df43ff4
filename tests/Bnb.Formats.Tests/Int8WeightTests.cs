using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>Which tensors make an LLM.int8() weight, and which rule is broken when they do not.</summary>
public sealed class Int8WeightTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_WeightWithoutFormat_IsFound()
    {
        QuantizedCheckpoint read = Read([Codes(), Scb(), TestTensor.Numbered("a.bias", "F16", 3)]);

        var weight = (Int8Weight)Assert.Single(read.Weights);
        Assert.Equal(("a.weight", "int8", 3L, 5L, 15L), (weight.Name, weight.Type, weight.Rows, weight.Columns, weight.ValueCount));
        Assert.Null(weight.WeightFormat);
        Assert.Equal(["a.weight", "a.SCB"], weight.Parts.Select(part => part.Name));
        Assert.Equal(["a.bias"], read.Plain.Select(tensor => tensor.Name));
        Assert.Empty(read.Problems);
        read.ThrowIfBroken();
    }

    [Fact]
    public void Read_IntegersUnderAnotherName_ArePlain()
    {
        QuantizedCheckpoint read = Read([TestTensor.Numbered("a.mask", "I8", 3, 5), TestTensor.Numbered("weight", "I8", 3, 5)]);

        Assert.Empty(read.Weights);
        Assert.Empty(read.Problems);
        Assert.Equal(2, read.Plain.Count);
    }

    [Fact]
    public void Read_PartsInAnotherFile_AreFoundAndRemarkedOn()
    {
        CheckpointBuilder.Sharded(_folder["sharded"], [[Codes()], [Scb(), Format(0)]]);

        QuantizedCheckpoint read = QuantizedCheckpoint.Read(Checkpoint.Open(_folder["sharded"], requireConfig: false));

        Assert.Single(read.Weights);
        Assert.Equal(("BNB0206", "a.weight", false), Facts(Assert.Single(read.Problems)));
        read.ThrowIfBroken();
    }

    public static TheoryData<string, TestTensor[], string, string> Broken => new()
    {
        { "no SCB", [Codes(), Format(0)], "BNB0201", "a.SCB" },
        { "SCB alone", [Scb()], "BNB0201", "a.SCB" },
        { "SCB of a float weight", [TestTensor.Numbered("a.weight", "F16", 3, 5), Scb()], "BNB0201", "a.SCB" },
        { "SCB of another dtype", [Codes(), TestTensor.Numbered("a.SCB", "F16", 3)], "BNB0203", "a.SCB" },
        { "short SCB", [Codes(), TestTensor.Numbered("a.SCB", "F32", 2)], "BNB0203", "a.SCB" },
        { "SCB as a matrix", [Codes(), TestTensor.Numbered("a.SCB", "F32", 3, 1)], "BNB0203", "a.SCB" },
        { "codes as a vector", [TestTensor.Numbered("a.weight", "I8", 15), Scb()], "BNB0204", "a.weight" },
        { "codes of three dimensions", [TestTensor.Numbered("a.weight", "I8", 3, 5, 1), Scb()], "BNB0204", "a.weight" },
        { "codes as a scalar", [TestTensor.Numbered("a.weight", "I8"), Scb()], "BNB0204", "a.weight" },
        { "turing order", [Codes(), Scb(), Format(2)], "BNB0205", "a.weight_format" },
        { "format of another dtype", [Codes(), Scb(), TestTensor.Numbered("a.weight_format", "I32")], "BNB0205", "a.weight_format" },
        { "two formats", [Codes(), Scb(), TestTensor.Numbered("a.weight_format", "U8", 2)], "BNB0205", "a.weight_format" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Read_BrokenWeight_NamesTheRuleAndIsRefusedOnDemand(string name, TestTensor[] tensors, string rule, string tensor)
    {
        QuantizedCheckpoint read = Read(tensors);

        Assert.True(read.Weights.Count == 0, name);
        Assert.Equal((rule, tensor, true), Facts(Assert.Single(read.Problems)));
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(read.ThrowIfBroken);
        Assert.Equal(("BNB-STATE", tensor), (error.Error.Code(), error.Tensor));
        // No part of a broken weight passes for a tensor of its own; a float weight beside an SCB is none.
        Assert.DoesNotContain(read.Plain, plain => plain.DType != DType.F16);
    }

    [Fact]
    public void Read_FormatOfNothing_IsRemarkedOn()
    {
        QuantizedCheckpoint read = Read([TestTensor.Numbered("a.weight", "F16", 3, 5), Format(0)]);

        Assert.Equal(("BNB0202", "a.weight_format", false), Facts(Assert.Single(read.Problems)));
        Assert.Equal(["a.weight"], read.Plain.Select(tensor => tensor.Name));
        read.ThrowIfBroken();
    }

    private static (string Rule, string Tensor, bool IsFatal) Facts(WeightProblem problem) => (problem.Rule, problem.Tensor, problem.IsFatal);

    private static TestTensor Codes() => TestTensor.Numbered("a.weight", "I8", 3, 5);

    private static TestTensor Scb() => TestTensor.Floats("a.SCB", "F32", 3);

    private static TestTensor Format(byte value) => new("a.weight_format", "U8", [], [value]);

    private QuantizedCheckpoint Read(IEnumerable<TestTensor> tensors) =>
        QuantizedCheckpoint.Read(Checkpoint.Open(_folder.Write("model.safetensors", CheckpointBuilder.Safetensors(tensors)), requireConfig: false));
}
