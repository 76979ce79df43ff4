using System.Runtime.InteropServices;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;
using Verified = Bnb.Tool.Tests.Verify.Verification;

namespace Bnb.Tool.Tests.Integers;

/// <summary>Layouts of int8 and int4 that cannot be: one clear error with its rule from every command that reads weights.</summary>
public sealed class BrokenIntegerTests : IDisposable
{
    private const string Up = HandRows8.Module;

    private static readonly Dictionary<string, Func<IReadOnlyList<TestTensor>>> Int8Cases = new()
    {
        ["BNB0201 SCB missing"] = () => Int8(without: ".SCB"),
        ["BNB0201 SCB without a weight"] = () => Int8(without: ".weight"),
        ["BNB0201 SCB beside a float weight"] = () => Int8(".weight", _ => TestTensor.Floats($"{Up}.weight", "F16", 48, 96)),
        ["BNB0203 SCB too short"] = () => Int8(".SCB", tensor => tensor with { Shape = [47], Data = tensor.Data[4..] }),
        ["BNB0203 SCB too long"] = () => Int8(".SCB", tensor => tensor with { Shape = [49], Data = [.. tensor.Data, 0, 0, 0, 0] }),
        ["BNB0203 SCB of two dimensions"] = () => Int8(".SCB", tensor => tensor with { Shape = [48, 1] }),
        ["BNB0203 SCB of another dtype"] = () => Int8(".SCB", tensor => tensor with { DType = "I32" }),
        ["BNB0204 weight of one dimension"] = () => Int8(".weight", tensor => tensor with { Shape = [48 * 96] }),
        ["BNB0204 weight of three dimensions"] = () => Int8(".weight", tensor => tensor with { Shape = [48, 48, 2] }),
        ["BNB0205 weight_format of an old GPU"] = () => Int8(".weight_format", tensor => tensor with { Data = [1] }),
        ["BNB0205 weight_format that is no byte"] = () => Int8(".weight_format", tensor => tensor with { DType = "F32", Data = new byte[4] }),
        ["BNB0205 weight_format of two bytes"] = () => Int8(".weight_format", tensor => tensor with { Shape = [2], Data = [0, 0] }),
    };

    private static readonly Dictionary<string, Func<IReadOnlyList<TestTensor>>> Int4Cases = new()
    {
        ["CT0101 weight_scale missing"] = () => Int4(without: "weight_scale"),
        ["CT0101 weight_shape missing"] = () => Int4(without: "weight_shape"),
        ["CT0101 weight_packed missing"] = () => Int4(without: "weight_packed"),
        ["CT0102 a dense weight beside it"] = () => [.. Int4(), TestTensor.Floats($"{Up}.weight", "BF16", 41, 192)],
        ["CT0103 weight_packed of another dtype"] = () => Int4("weight_packed", tensor => tensor with { DType = "I64", Shape = [41, 12] }),
        ["CT0103 weight_packed of one dimension"] = () => Int4("weight_packed", tensor => tensor with { Shape = [41 * 24] }),
        ["CT0103 weight_scale of another dtype"] = () => Int4("weight_scale", tensor => tensor with { DType = "I16" }),
        ["CT0103 weight_scale of other rows"] = () => Int4("weight_scale", tensor => tensor with { Shape = [3, 41] }),
        ["CT0103 weight_scale of one dimension"] = () => Int4("weight_scale", tensor => tensor with { Shape = [123] }),
        ["CT0103 weight_zero_point of other words"] = () => Int4("weight_zero_point", tensor => tensor with { Shape = [5, 3], Data = tensor.Data[12..] }),
        ["CT0103 weight_zero_point transposed"] = () => Int4("weight_zero_point", tensor => tensor with { Shape = [3, 6] }),
        ["CT0103 weight_zero_point of another dtype"] = () => Int4("weight_zero_point", tensor => tensor with { DType = "F32" }),
        ["CT0103 weight_shape of three numbers"] = () => Int4("weight_shape", tensor => tensor with { Shape = [3], Data = [.. tensor.Data, .. new byte[8]] }),
        ["CT0103 weight_shape of floats"] = () => Int4("weight_shape", tensor => tensor with { DType = "F64" }),
        ["CT0104 weight_shape of other rows"] = () => Int4("weight_shape", tensor => Shape(tensor, 40, 192)),
        ["CT0104 weight_shape of other columns"] = () => Int4("weight_shape", tensor => Shape(tensor, 41, 200)),
        ["CT0104 weight_shape of 8-bit codes"] = () => Int4("weight_shape", tensor => Shape(tensor, 41, 96)),
        ["CT0104 weight_shape negative"] = () => Int4("weight_shape", tensor => Shape(tensor, -1, -1)),
        ["CT0104 weight_shape without end"] = () => Int4("weight_shape", tensor => Shape(tensor, long.MaxValue, long.MaxValue)),
        ["CT0105 groups that do not divide the columns"] = () => Int4("weight_scale", tensor => tensor with { Shape = [41, 5], Data = new byte[410] }, without: "weight_zero_point"),
        ["CT0105 groups that are no whole words"] = () => Int4("weight_scale", tensor => tensor with { Shape = [41, 48], Data = new byte[41 * 96] }, without: "weight_zero_point"),
        ["CT0105 no group"] = () => Int4("weight_scale", tensor => tensor with { Shape = [41, 0], Data = [] }, without: "weight_zero_point"),
        ["CT0106 columns reordered"] = () => [.. Int4(), TestTensor.Numbered($"{Up}.weight_g_idx", "I32", 192)],
    };

    private readonly TempFolder _folder = new();

    public static TheoryData<string> Int8Names => [.. Int8Cases.Keys];

    public static TheoryData<string> Int4Names => [.. Int4Cases.Keys];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Int8Names))]
    public void AnyCommand_BrokenInt8_GivesOneErrorWithItsRule(string name) =>
        AssertRefused(Int8Cases[name](), HandRows8.Config, "BNB-STATE", name[..7], TestTensor.Floats($"{Up}.weight", "F32", 48, 96));

    [Theory]
    [MemberData(nameof(Int4Names))]
    public void AnyCommand_BrokenInt4_GivesOneErrorWithItsRule(string name) => AssertRefused(
        Int4Cases[name](), HandGroups4.Config(64, symmetric: false), "CT-LAYOUT", name[..6], TestTensor.Floats($"{Up}.weight", "BF16", 41, 192));

    [Theory]
    [InlineData("\"num_bits\": 4", "\"num_bits\": 8")]
    [InlineData("\"num_bits\": 4, ", "")]
    [InlineData("pack-quantized", "nvfp4-pack-quantized")]
    [InlineData("\"type\": \"int\"", "\"type\": \"float\"")]
    public void AnyCommand_Int4OfAnotherFormat_GivesOneErrorWithItsRule(string said, string instead) => AssertRefused(
        Int4(), HandGroups4.Config(64, symmetric: false).Replace(said, instead, StringComparison.Ordinal), "CT-LAYOUT", "CT0107",
        TestTensor.Floats($"{Up}.weight", "BF16", 41, 192));

    /// <summary>All of it can be decoded, so it is; what is odd is said by verify.</summary>
    [Fact]
    public void AnyCommand_Int8InTwoFiles_IsReadWithARemark()
    {
        List<TestTensor> tensors = new HandRows8().Tensors();
        CheckpointBuilder.Sharded(_folder["apart"], [[tensors[0]], [.. tensors.Skip(1)]], HandRows8.Config);
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats($"{Up}.weight", "F32", 48, 96)]);

        foreach (string[] command in Commands(_folder["apart"])) Assert.True(ToolRun.Of(command).Exit is ExitCode.Done or ExitCode.Differs, command[0]);
        Assert.Contains(Verified.Of(_folder["apart"], source).Findings(), finding => finding is { Rule: "BNB0206", Fails: false });
    }

    private void AssertRefused(IReadOnlyList<TestTensor> tensors, string config, string code, string rule, TestTensor original)
    {
        string broken = CheckpointBuilder.SingleFile(_folder["broken"], tensors, config);
        string source = CheckpointBuilder.SingleFile(_folder["source"], [original]);
        string before = FolderState.Of(broken);

        foreach (string[] command in Commands(broken))
        {
            ToolRun run = ToolRun.Of(command);

            Refusal.AssertIs(run, ExitCode.InputMalformed, code);
            Assert.Matches($@"\n  rule +{rule}\n", run.Error);
            // inspect shows what there is before it says what is wrong.
            if (command[0] != "inspect") Assert.Empty(run.Out);
        }

        Refusal.AssertNothingWritten(_folder["out"]);
        Verified done = Verified.Failing(broken, source);
        Assert.Contains(done.Findings(), finding => finding.Rule == rule && finding.Fails);
        Assert.Empty(done.Layers);
        Refusal.AssertIs(ToolRun.Of("quantize", broken, "--output", _folder["out"]), ExitCode.InputMalformed, code);
        Assert.Equal(before, FolderState.Of(broken));
    }

    private string[][] Commands(string path) =>
        [["inspect", path], ["inspect", path, "--verbosity", "diagnostic"], ["dequantize", path, "--output", _folder["out"]], ["diff", path, path]];

    private static TestTensor[] Int8(string? part = null, Func<TestTensor, TestTensor>? change = null, string? without = null) =>
        Changed(new HandRows8().Tensors(), part, change, without);

    private static TestTensor[] Int4(string? part = null, Func<TestTensor, TestTensor>? change = null, string? without = null) =>
        Changed(new HandGroups4 { Symmetric = false }.Tensors(), part, change, without);

    private static TestTensor[] Changed(List<TestTensor> tensors, string? part, Func<TestTensor, TestTensor>? change, string? without) =>
    [
        .. tensors
            .Where(tensor => without is null || !tensor.Name.EndsWith(without, StringComparison.Ordinal))
            .Select(tensor => part is not null && tensor.Name.EndsWith(part, StringComparison.Ordinal) ? change!(tensor) : tensor),
    ];

    private static TestTensor Shape(TestTensor tensor, long rows, long columns) =>
        tensor with { Data = MemoryMarshal.AsBytes<long>([rows, columns]).ToArray() };
}
