using System.Text.Json;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Integers;

/// <summary><c>inspect</c> on int8 and int4: formats, companions counted with their weight, bits per parameter.</summary>
public sealed class InspectIntegerTests : IDisposable
{
    private const string Weight = "model.layers.0.mlp.up_proj.weight";

    private readonly TempFolder _folder = new();
    private readonly string _source;

    public InspectIntegerTests() => _source = CheckpointBuilder.SingleFile(
        _folder["model"],
        [
            TestTensor.Floats(Weight, "BF16", 128, 256),
            TestTensor.Floats("model.layers.1.mlp.up_proj.weight", "BF16", 128, 256),
            TestTensor.Floats("model.norm.weight", "F32", 128),
        ]);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("""{"quant_type":"int8","shape":[128,256]}""", 32768 + 512 + 1, "int8")]
    [InlineData("""{"quant_type":"int4","group_size":128,"symmetric":true,"dtype":"BF16","shape":[128,256]}""", 16384 + 512 + 16, "int4")]
    [InlineData("""{"quant_type":"int4","group_size":32,"symmetric":true,"dtype":"BF16","shape":[128,256]}""", 16384 + 2048 + 16, "int4", "--group-size", "32")]
    [InlineData("""{"quant_type":"int4","group_size":64,"symmetric":false,"dtype":"BF16","shape":[128,256]}""", 16384 + 1024 + 256 + 16, "int4", "--group-size", "64", "--symmetric", "false")]
    public void Inspect_Quantized_CountsCompanionsWithTheirWeight(string state, long bytes, string type, params string[] options)
    {
        JsonElement quantized = JsonResult.Of(ToolRun.Succeed(["quantize", _source, "--output", _folder["out"], "--json", "--type", type, .. options]));

        JsonElement result = JsonResult.Of(ToolRun.Succeed("inspect", _folder["out"], "--json"));

        Assert.Equal(3, result.GetProperty("tensors").GetArrayLength());
        Assert.Equal((65536 + 128, (2 * bytes) + 512), (result.GetProperty("parameters").GetInt64(), result.GetProperty("bytes").GetInt64()));
        Assert.Equal(quantized.GetProperty("bits_per_parameter").GetDouble(), result.GetProperty("bits_per_parameter").GetDouble());
        JsonElement tensor = result.GetProperty("tensors").EnumerateArray().Single(tensor => tensor.GetProperty("name").GetString() == Weight);
        Assert.Equal((bytes, 32768), (tensor.GetProperty("bytes").GetInt64(), tensor.GetProperty("parameters").GetInt64()));
        Assert.Equal(type == "int8" ? "I8" : "I32", tensor.GetProperty("dtype").GetString());
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(state), tensor.GetProperty("quant_state")), tensor.GetProperty("quant_state").GetRawText());
    }

    [Theory]
    [InlineData("int8", "int8")]
    [InlineData("int4 g128 symmetric BF16", "int4")]
    [InlineData("int4 g64 asymmetric BF16", "int4", "--group-size", "64", "--symmetric", "false")]
    public void Inspect_Tables_NameTheFormatAndFoldLayers(string format, string type, params string[] options)
    {
        ToolRun.Succeed(["quantize", _source, "--output", _folder["out"], "--type", type, .. options]);

        ToolRun folded = ToolRun.Succeed("inspect", _folder["out"]), detailed = ToolRun.Succeed("inspect", _folder["out"], "--verbosity", "detailed");

        Assert.Contains("model.layers.{0-1}.mlp.up_proj.weight", folded.Out, StringComparison.Ordinal);
        Assert.Matches($@"\s{format}\s+\[128, 256\]", folded.Out);
        Assert.Matches("tensors +3, of which 2 quantized", folded.Out);
        Assert.Contains(Weight, detailed.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("SCB", detailed.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("weight_scale", detailed.Out, StringComparison.Ordinal);
        Assert.Empty(folded.Error);
    }

    [Fact]
    public void Inspect_QuantizedByBitsandbytes_IsRead()
    {
        JsonElement result = JsonResult.Of(ToolRun.Succeed("inspect", Golden.File("tiny-llama", "int8"), "--json"));

        Assert.Equal(21, result.GetProperty("tensors").GetArrayLength());
        Assert.Equal(14, result.GetProperty("tensors").EnumerateArray().Count(tensor =>
            tensor.TryGetProperty("quant_state", out JsonElement state) && state.GetProperty("quant_type").GetString() == "int8"));
    }
}
