using System.Text;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>Which tensors make a 4-bit weight, and which rule is broken when they do not.</summary>
public sealed class BnbWeightTests : IDisposable
{
    private const string Weight = "layer.weight";
    private const string Flat = """{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [5, 39]}""";
    private const string Nested = """{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [5, 39], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.5}""";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_FlatWeight_HasItsPartsAndNumbers()
    {
        TestTensor plain = TestTensor.Numbered("norm.weight", "F32", 3);

        QuantizedCheckpoint read = Read([.. FlatTensors(), plain]);

        var weight = (BnbWeight)Assert.Single(read.Weights);
        Assert.Equal((Weight, 5L, 39L, 195L, 4L, false), (weight.Name, weight.Rows, weight.Columns, weight.ValueCount, weight.BlockCount, weight.IsNested));
        Assert.Equal(FlatTensors().Select(tensor => tensor.Name).Order(StringComparer.Ordinal), weight.Parts.Select(part => part.Name).Order(StringComparer.Ordinal));
        Assert.Equal(["norm.weight"], read.Plain.Select(tensor => tensor.Name));
        Assert.Empty(read.Problems);
        read.ThrowIfBroken();
    }

    [Fact]
    public void Read_NestedWeight_HasAllSixParts()
    {
        QuantizedCheckpoint read = Read(NestedTensors());

        var weight = (BnbWeight)Assert.Single(read.Weights);
        Assert.True(weight.IsNested);
        Assert.Equal(6, weight.Parts.Count());
        Assert.Equal(0.5f, weight.State.NestedOffset);
        Assert.Empty(read.Plain);
        Assert.Empty(read.Problems);
    }

    [Fact]
    public void Read_GoldenModel_HasNoProblem()
    {
        foreach (string folder in (string[])["nf4-dq", "fp4"])
        {
            QuantizedCheckpoint read = QuantizedCheckpoint.Read(Checkpoint.Open(Golden.File("tiny-llama", folder, "model.safetensors"), requireConfig: false));

            Assert.Equal(14, read.Weights.Count);
            Assert.Equal(7, read.Plain.Count);
            Assert.Empty(read.Problems);
            Assert.All(read.Weights, weight => Assert.Equal(folder == "nf4-dq", ((BnbWeight)weight).IsNested));
        }
    }

    [Fact]
    public void Read_PartsInAnotherFile_AreFoundAndRemarkedOn()
    {
        TestTensor[] tensors = FlatTensors();
        CheckpointBuilder.Sharded(_folder["sharded"], [[tensors[0]], [.. tensors.Skip(1)]]);

        QuantizedCheckpoint read = QuantizedCheckpoint.Read(Checkpoint.Open(_folder["sharded"], requireConfig: false));

        Assert.Single(read.Weights);
        WeightProblem problem = Assert.Single(read.Problems);
        Assert.Equal(("BNB0108", false), (problem.Rule, problem.IsFatal));
        read.ThrowIfBroken();
    }

    public static TheoryData<string, string, string> Broken => new()
    {
        { "drop " + Weight, "BNB0101", Weight },
        { "drop " + Weight + ".absmax", "BNB0101", Weight + ".absmax" },
        { "drop " + Weight + ".quant_map", "BNB0101", Weight + ".quant_map" },
        { "drop " + Weight + ".nested_absmax", "BNB0101", Weight + ".nested_absmax" },
        { "drop " + Weight + ".nested_quant_map", "BNB0101", Weight + ".nested_quant_map" },
        { "short " + Weight, "BNB0106", Weight },
        { "short " + Weight + ".absmax", "BNB0105", Weight + ".absmax" },
        { "short " + Weight + ".nested_quant_map", "BNB0105", Weight + ".nested_quant_map" },
        { "retype " + Weight + ".absmax", "BNB0105", Weight + ".absmax" },
        { "state " + """{"quant_type": "nf4", "blocksize": 16, "dtype": "bfloat16", "shape": [5, 39]}""", "BNB0107", Weight },
        { "state " + """{"quant_type": "nf4", "blocksize": 96, "dtype": "bfloat16", "shape": [5, 39]}""", "BNB0107", Weight },
        { "state " + """{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [195]}""", "BNB0105", Weight },
        { "state " + """{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [9223372036854775807, 2]}""", "BNB0105", Weight },
        { "state " + """{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [5, 40]}""", "BNB0106", Weight },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Read_BrokenWeight_NamesTheRuleAndIsRefusedOnDemand(string damage, string rule, string tensor)
    {
        string[] words = damage.Split(' ', 2);
        IEnumerable<TestTensor> tensors = words[0] switch
        {
            "drop" => NestedTensors().Where(part => part.Name != words[1]),
            "short" => NestedTensors().Select(part => part.Name == words[1] ? TestTensor.Numbered(part.Name, part.DType, part.Shape[0] - 1) : part),
            "retype" => NestedTensors().Select(part => part.Name == words[1] ? TestTensor.Numbered(part.Name, "F32", 4) : part),
            _ => [.. FlatTensors().Where(part => !part.Name.Contains("quant_state", StringComparison.Ordinal)), State(words[1])],
        };

        QuantizedCheckpoint read = Read(tensors);

        Assert.Empty(read.Weights);
        WeightProblem problem = read.Problems.First(problem => problem.IsFatal);
        Assert.Equal((rule, tensor), (problem.Rule, problem.Tensor));
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(read.ThrowIfBroken);
        Assert.Equal(("BNB-STATE", tensor), (error.Error.Code(), error.Tensor));
        // No part of a broken weight passes for a tensor of its own.
        Assert.Empty(read.Plain);
    }

    [Fact]
    public void Read_NestedPartsOfAFlatState_AreRemarkedOnAndNotUsed()
    {
        QuantizedCheckpoint read = Read([.. FlatTensors(), TestTensor.Numbered(Weight + ".nested_absmax", "F32", 1)]);

        Assert.Null(((BnbWeight)Assert.Single(read.Weights)).NestedAbsmax);
        Assert.Equal(("BNB0102", false), (read.Problems[0].Rule, Assert.Single(read.Problems).IsFatal));
        Assert.Empty(read.Plain);
    }

    [Fact]
    public void Read_UnknownCompanion_IsRemarkedOn()
    {
        QuantizedCheckpoint read = Read([.. FlatTensors(), TestTensor.Numbered(Weight + ".zero_point", "F32", 1)]);

        Assert.Single(read.Weights);
        Assert.Equal(("BNB0102", Weight + ".zero_point", false), (read.Problems[0].Rule, read.Problems[0].Tensor, read.Problems[0].IsFatal));
        Assert.Equal([Weight + ".zero_point"], read.Plain.Select(tensor => tensor.Name));
    }

    [Fact]
    public void Read_StateUnderAnotherName_IsRemarkedOn()
    {
        TestTensor[] tensors = FlatTensors();
        tensors[^1] = tensors[^1] with { Name = Weight + ".quant_state.bitsandbytes__fp4" };

        QuantizedCheckpoint read = Read(tensors);

        Assert.Single(read.Weights);
        Assert.Equal("BNB0104", Assert.Single(read.Problems).Rule);
    }

    [Fact]
    public void Read_TwoStates_AreRefusedOnDemand()
    {
        QuantizedCheckpoint read = Read([.. FlatTensors(), State(Flat) with { Name = Weight + ".quant_state.bitsandbytes__fp4" }]);

        Assert.Contains(read.Problems, problem => problem is { Rule: "BNB0103", IsFatal: true });
        Assert.Throws<CheckpointFormatException>(read.ThrowIfBroken);
    }

    [Theory]
    [InlineData("F32", 25)]
    [InlineData("U8", 70_000)]
    public void Read_StateOfAnotherTypeOrLength_IsRefusedOnDemand(string dtype, long length)
    {
        TestTensor[] tensors = FlatTensors();
        tensors[^1] = TestTensor.Numbered(tensors[^1].Name, dtype, length);

        QuantizedCheckpoint read = Read(tensors);

        Assert.Empty(read.Weights);
        Assert.Contains(read.Problems, problem => problem is { Rule: "BNB0103", IsFatal: true });
    }

    private static TestTensor State(string json) =>
        new(Weight + ".quant_state.bitsandbytes__nf4", "U8", [json.Length], Encoding.ASCII.GetBytes(json));

    private static TestTensor[] FlatTensors() =>
    [
        TestTensor.Numbered(Weight, "U8", 98, 1),
        TestTensor.Numbered(Weight + ".absmax", "F32", 4),
        TestTensor.Numbered(Weight + ".quant_map", "F32", 16),
        State(Flat),
    ];

    private static TestTensor[] NestedTensors() =>
    [
        TestTensor.Numbered(Weight, "U8", 98, 1),
        TestTensor.Numbered(Weight + ".absmax", "U8", 4),
        TestTensor.Numbered(Weight + ".quant_map", "F32", 16),
        TestTensor.Numbered(Weight + ".nested_absmax", "F32", 1),
        TestTensor.Numbered(Weight + ".nested_quant_map", "F32", 256),
        State(Nested),
    ];

    private QuantizedCheckpoint Read(IEnumerable<TestTensor> tensors) =>
        QuantizedCheckpoint.Read(Checkpoint.Open(_folder.Write("model.safetensors", CheckpointBuilder.Safetensors(tensors)), requireConfig: false));
}
