using System.Text;
using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary><c>inspect</c> and <c>demo</c> as a user sees them.</summary>
public sealed class InspectTests : IDisposable
{
    private const string Weight = "model.layers.0.mlp.down_proj.weight";

    private readonly TempFolder _folder = new();
    private readonly string _source;

    public InspectTests() => _source = CheckpointBuilder.SingleFile(
        _folder["model"],
        [
            TestTensor.Floats(Weight, "BF16", 128, 256),
            TestTensor.Floats("model.layers.1.mlp.down_proj.weight", "BF16", 128, 256),
            TestTensor.Floats("model.norm.weight", "F32", 128),
        ]);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Inspect_PlainFolder_JsonNamesEveryTensor()
    {
        JsonElement result = JsonResult.Of(ToolRun.Succeed("inspect", _source, "--json"));

        Assert.Equal("checkpoint", result.GetProperty("type").GetString());
        Assert.Equal((65536 + 128, 131072 + 512), (result.GetProperty("parameters").GetInt64(), result.GetProperty("bytes").GetInt64()));
        Assert.Equal(Math.Round((131072 + 512) * 8 / (65536 + 128.0), 4), result.GetProperty("bits_per_parameter").GetDouble());
        JsonElement tensor = result.GetProperty("tensors").EnumerateArray().Single(tensor => tensor.GetProperty("name").GetString() == Weight);
        Assert.Equal(("model.safetensors", "BF16", 65536, 32768), (
            tensor.GetProperty("file").GetString(), tensor.GetProperty("dtype").GetString(),
            tensor.GetProperty("bytes").GetInt64(), tensor.GetProperty("parameters").GetInt64()));
        Assert.Equal("[128,256]", tensor.GetProperty("shape").GetRawText());
        Assert.False(tensor.TryGetProperty("quant_state", out _));
    }

    [Theory]
    [InlineData("nf4", 64, true)]
    [InlineData("fp4", 128, false)]
    public void Inspect_QuantizedFolder_CountsCompanionsWithTheirWeight(string type, int blocksize, bool doubleQuant)
    {
        ToolRun quantized = ToolRun.Succeed(
            "quantize", _source, "--output", _folder["out"], "--type", type, "--block-size", $"{blocksize}", "--double-quant", doubleQuant ? "true" : "false", "--json");

        JsonElement result = JsonResult.Of(ToolRun.Succeed("inspect", _folder["out"], "--json"));

        Assert.Equal(3, result.GetProperty("tensors").GetArrayLength());
        Assert.Equal(65536 + 128, result.GetProperty("parameters").GetInt64());
        Assert.Equal(OutputFolder.Tensors(_folder["out"]).Values.Sum(tensor => tensor.Info.ByteCount), result.GetProperty("bytes").GetInt64());
        Assert.Equal(JsonResult.Of(quantized).GetProperty("bits_per_parameter").GetDouble(), result.GetProperty("bits_per_parameter").GetDouble());
        JsonElement tensor = result.GetProperty("tensors").EnumerateArray().Single(tensor => tensor.GetProperty("name").GetString() == Weight);
        JsonElement state = tensor.GetProperty("quant_state");
        Assert.Equal(32768, tensor.GetProperty("parameters").GetInt64());
        Assert.Equal((type, blocksize, "bfloat16", "[128,256]", doubleQuant), (
            state.GetProperty("quant_type").GetString(), state.GetProperty("blocksize").GetInt32(), state.GetProperty("dtype").GetString(),
            state.GetProperty("shape").GetRawText(), state.TryGetProperty("nested_offset", out _)));
    }

    [Fact]
    public void Inspect_QuantizedByBitsandbytes_IsRead()
    {
        JsonElement result = JsonResult.Of(ToolRun.Succeed("inspect", Golden.File("tiny-llama", "nf4-dq"), "--json"));

        Assert.Contains(result.GetProperty("tensors").EnumerateArray(), tensor => tensor.TryGetProperty("quant_state", out JsonElement state)
            && state.GetProperty("quant_type").GetString() == "nf4" && state.TryGetProperty("nested_offset", out _));
    }

    [Fact]
    public void Inspect_Tables_FoldLayersUnlessDetailed()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"]);

        ToolRun folded = ToolRun.Succeed("inspect", _folder["out"]);
        ToolRun detailed = ToolRun.Succeed("inspect", _folder["out"], "--verbosity", "detailed");

        Assert.Contains("model.layers.{0-1}.mlp.down_proj.weight", folded.Out, StringComparison.Ordinal);
        Assert.Contains("nf4 b64 double bfloat16", folded.Out, StringComparison.Ordinal);
        Assert.Matches(@"tensors +3, of which 2 quantized", folded.Out);
        Assert.Matches(@"bits per parameter +\d\.\d{3}\n", folded.Out);
        Assert.Contains(Weight, detailed.Out, StringComparison.Ordinal);
        Assert.Empty(folded.Error);
    }

    [Fact]
    public void Inspect_SingleFile_NeedsNoConfig()
    {
        File.Delete(Path.Combine(_source, "config.json"));

        JsonResult.Of(ToolRun.Succeed("inspect", Path.Combine(_source, "model.safetensors"), "--json"));
    }

    [Fact]
    public void Inspect_HostileNames_AreEscapedAndShortened()
    {
        TestTensor[] tensors =
        [
            TestTensor.Numbered("\u001b[31mred\r\n\0", "U8", 3),
            TestTensor.Numbered(new string('n', 70_000), "U8", 3),
            TestTensor.Numbered("[bold]markup[/]", "U8", 3),
            TestTensor.Numbered("\u202eright to left", "U8", 3),
        ];
        CheckpointBuilder.SingleFile(_folder["hostile"], tensors);

        ToolRun run = ToolRun.Succeed("inspect", _folder["hostile"]);

        Refusal.AssertHarmless(run.Out);
        Assert.DoesNotContain('\u202e', run.Out);
        Assert.Contains(@"\x1b[31mred", run.Out, StringComparison.Ordinal);
        Assert.Contains("[bold]markup[/]", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4611686018427387904, 4]}""")]
    [InlineData("""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [9223372036854775807, 9223372036854775807]}""")]
    [InlineData("""{"quant_type": "nf5", "blocksize": 64, "dtype": "bfloat16", "shape": [2, 2]}""")]
    [InlineData("not json")]
    [InlineData("")]
    public void Inspect_BadQuantState_IsAnErrorOfTheFile(string state)
    {
        byte[] blob = Encoding.UTF8.GetBytes(state);
        CheckpointBuilder.SingleFile(
            _folder["bad"],
            [TestTensor.Numbered("a.weight", "U8", 2, 1), new TestTensor("a.weight.quant_state.bitsandbytes__nf4", "U8", [blob.Length], blob)]);

        Refusal.AssertIs(ToolRun.Of("inspect", _folder["bad"]), ExitCode.InputMalformed, "BNB-STATE");
    }

    [Fact]
    public void Demo_NewFolder_MakesQuantizesAndShows()
    {
        ToolRun run = ToolRun.Succeed("demo", _folder["demo"]);

        OutputContract.AssertHolds(_folder["demo", "nf4"]);
        Assert.Contains("$ dotnet bnb quantize ", run.Error, StringComparison.Ordinal);
        Assert.Equal(2, run.Out.Split("bits per parameter").Length - 1);
    }

    [Fact]
    public void Demo_Json_IsOneResultAndAnExitLine() =>
        Assert.Equal("quantized", JsonResult.Of(ToolRun.Succeed("demo", _folder["demo"], "--json")).GetProperty("type").GetString());

    [Fact]
    public void Demo_ExistingFolder_IsRefused()
    {
        string before = FolderState.Of(_folder.Path);

        Refusal.AssertIs(ToolRun.Of("demo", _source), ExitCode.OutputRefused, "OUTPUT-EXISTS");

        Assert.Equal(before, FolderState.Of(_folder.Path));
    }
}
