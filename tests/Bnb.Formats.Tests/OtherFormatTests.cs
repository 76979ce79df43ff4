using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.TestKit;

namespace Bnb.Formats.Tests;

/// <summary>What config.json says about packed weights, and tensors of formats that are not read.</summary>
public sealed class OtherFormatTests : IDisposable
{
    private const string Config = """{"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "symmetric": true, "strategy": "group", "group_size": 16}}}}}""";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("", "")]
    [InlineData("\"strategy\": \"group\", \"group_size\": 16", "\"strategy\": \"group\", \"group_size\": 16, \"actorder\": \"weight\"")]
    [InlineData("\"pack-quantized\", \"config_groups\": {", "\"pack-quantized\", \"config_groups\": {\"group_1\": {\"weights\": null}, ")]
    public void Read_ConfigOfTheseWeights_HasNoProblem(string from, string to)
    {
        QuantizedCheckpoint read = Read(Packed(), from.Length == 0 ? Config : Config.Replace(from, to, StringComparison.Ordinal));

        Assert.Empty(read.Problems);
        Assert.Single(read.Weights);
    }

    [Theory]
    [InlineData("128")]
    [InlineData("32")]
    [InlineData("-1")]
    public void Read_OneGroupARow_AgreesWithEveryGroupSizeFromThere(string size)
    {
        TestTensor[] tensors = Packed();
        tensors[1] = TestTensor.Floats("a.weight_scale", "F16", 9, 1);

        Assert.Empty(Read(tensors, Config.Replace("\"group_size\": 16", $"\"group_size\": {size}", StringComparison.Ordinal)).Problems);
    }

    [Theory]
    [InlineData("\"pack-quantized\"", "\"marlin-24\"", "format is marlin-24")]
    [InlineData("\"pack-quantized\"", "\"mixed-precision\"", "format is mixed-precision")]
    [InlineData("\"pack-quantized\"", "4", "format is no text")]
    [InlineData("{\"targets\"", "{\"format\": \"int-quantized\", \"targets\"", "format of group_0 is int-quantized")]
    [InlineData("\"num_bits\": 4", "\"num_bits\": 8", "num_bits of group_0 is 8")]
    [InlineData("\"num_bits\": 4, ", "", "num_bits of group_0 is not given")]
    [InlineData("\"type\": \"int\"", "\"type\": \"float\"", "type of group_0 is float")]
    public void Read_ConfigOfAnotherLayout_IsRefusedOnDemand(string from, string to, string text)
    {
        QuantizedCheckpoint read = Read(Packed(), Config.Replace(from, to, StringComparison.Ordinal));

        WeightProblem problem = Assert.Single(read.Problems);
        Assert.Equal(("CT0107", "config.json", true), (problem.Rule, problem.Tensor, problem.IsFatal));
        Assert.StartsWith(text, problem.Text, StringComparison.Ordinal);
        Assert.Empty(read.Weights);
        Assert.Empty(read.Plain);
        Assert.Equal("CT-LAYOUT", Assert.Throws<CheckpointFormatException>(read.ThrowIfBroken).Error.Code());
    }

    [Theory]
    [InlineData("\"symmetric\": true", "\"symmetric\": false", "has no zero points, config.json says not symmetric")]
    [InlineData("\"group_size\": 16", "\"group_size\": 32", "has groups of 16, config.json says 32")]
    [InlineData("\"group_size\": 16", "\"group_size\": 0", "has groups of 16, config.json says one group a row")]
    [InlineData("\"strategy\": \"group\", \"group_size\": 16", "\"strategy\": \"channel\"", "has groups of 16, config.json says one group a row")]
    public void Read_ConfigThatDisagrees_IsRemarkedOn(string from, string to, string text)
    {
        QuantizedCheckpoint read = Read(Packed(), Config.Replace(from, to, StringComparison.Ordinal));

        WeightProblem problem = Assert.Single(read.Problems);
        Assert.Equal(("CT0108", "a.weight_packed", text, false), (problem.Rule, problem.Tensor, problem.Text, problem.IsFatal));
        Assert.Single(read.Weights);
        read.ThrowIfBroken();
    }

    public static TheoryData<string, TestTensor[], string, string> Others => new()
    {
        { "fp8 of 5 exponent bits", [TestTensor.Numbered("a.weight", "F8_E5M2", 4, 8), TestTensor.Floats("a.weight_scale", "F32", 1)], "a.weight", "a weight stored as F8_E5M2" },
        { "fp8 blocks", [TestTensor.Floats("a.weight_scale_inv", "F32", 1, 1)], "a.weight_scale_inv", "the scale of a quantized weight" },
        { "int-quantized", [TestTensor.Numbered("a.weight", "I8", 4, 8), TestTensor.Floats("a.weight_scale", "F32", 4, 1)], "a.weight", "I8 codes with a weight_scale" },
        { "fp8 without scales", [TestTensor.Numbered("a.weight", "F8_E4M3", 4, 8), TestTensor.Numbered("b.weight", "F8_E4M3", 4, 8)], "a.weight", "a weight stored as F8_E4M3, and 1 more like it" },
    };

    [Theory]
    [MemberData(nameof(Others))]
    public void Read_OtherFormat_IsNamedAndNeverPlain(string method, TestTensor[] tensors, string tensor, string text)
    {
        TestTensor plain = TestTensor.Floats("norm.weight", "F32", 4);
        QuantizedCheckpoint read = Read([.. tensors, plain], $$$"""{"quantization_config": {"quant_method": "{{{method}}}"}}""");

        WeightProblem problem = read.Problems[0];
        Assert.Equal(("QNT0101", tensor, true), (problem.Rule, problem.Tensor, problem.IsFatal));
        Assert.Equal($"{text}: quantized in a format that is not read (quant_method {method})", problem.Text);
        Assert.Empty(read.Weights);
        Assert.Equal(["norm.weight"], read.Plain.Select(left => left.Name));
        CheckpointFormatException error = Assert.Throws<CheckpointFormatException>(read.ThrowIfBroken);
        Assert.Equal(("QUANT-UNSUP", FormatErrorKind.Unsupported), (error.Error.Code(), error.Error.Kind()));
    }

    [Fact]
    public void Read_AllKindsInOneFile_AreInTheOrderOfTheFile()
    {
        TestTensor[] int8 = [TestTensor.Numbered("z.weight", "I8", 4, 8), TestTensor.Floats("z.SCB", "F32", 4)];
        TestTensor[] int8Later = [TestTensor.Numbered("b.weight", "I8", 4, 8), TestTensor.Floats("b.SCB", "F32", 4)];

        QuantizedCheckpoint read = Read([.. int8, .. Packed(), .. int8Later], config: null);

        Assert.Equal(["z.weight", "a.weight", "b.weight"], read.Weights.Select(weight => weight.Name));
        Assert.Equal(["int8", "int4", "int8"], read.Weights.Select(weight => weight.Type));
        Assert.Empty(read.Problems);
        Assert.Empty(read.Plain);
    }

    private static TestTensor[] Packed() =>
    [
        TestTensor.Numbered("a.weight_packed", "I32", 9, 4),
        TestTensor.Floats("a.weight_scale", "BF16", 9, 2),
        new TestTensor("a.weight_shape", "I64", [2], [9, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0]),
    ];

    private QuantizedCheckpoint Read(IEnumerable<TestTensor> tensors, string? config) =>
        QuantizedCheckpoint.Read(Checkpoint.Open(CheckpointBuilder.SingleFile(_folder["model"], tensors, config), requireConfig: false));
}
