using Bnb.Engine.Errors;
using Bnb.TestKit;
using Bnb.Tool.Tests.Processes;
using Xunit;

namespace Bnb.Tool.Tests.Sources;

/// <summary>Whole commands with sources as people have them.</summary>
public sealed class SourceCommandTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void QuantizeAndVerify_ModelById_FollowTheLinksOfTheCache()
    {
        new HubCache(_temp["home", "hub"]).Add("acme/tiny", HubCache.Commit, "main", HubCache.SmallModel(_temp, "m"));
        KeyValuePair<string, string>[] home = [new("HF_HOME", _temp["home"]), new("HF_HUB_CACHE", "")];

        ToolRun quantized = ToolProcess.In(_temp.Path, home, "quantize", "acme/tiny", "--output", "out");
        ToolRun verified = ToolProcess.In(_temp.Path, home, "verify", "out", "--source", "acme/tiny");

        Assert.True(quantized.Exit == ExitCode.Done, quantized.Error);
        Assert.True(verified.Exit == ExitCode.Done, verified.Error);
        Assert.Equal("{}", File.ReadAllText(_temp["out", "tokenizer.json"]));
        Assert.Null(new FileInfo(_temp["out", "tokenizer.json"]).LinkTarget);
    }

    [Theory]
    [InlineData("""{"model_type": "llama"}""", "model.safetensors")]
    [InlineData("""{"_class_name": "UNet2DConditionModel"}""", "diffusion_pytorch_model.safetensors")]
    public void Quantize_OneFileUnderAnotherName_IsWrittenUnderTheOneLoadersLookFor(string config, string expected)
    {
        string weights = _temp.Write("m/tiny-v2.fp16.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats("layers.0.proj.weight", "F32", 64, 64)));
        _temp.Write("m/config.json", System.Text.Encoding.UTF8.GetBytes(config));

        ToolRun.Succeed("quantize", _temp["m"], "--output", _temp["folder"]);
        ToolRun.Succeed("quantize", weights, "--output", _temp["file"]);
        ToolRun.Succeed("dequantize", _temp["folder"], "--output", _temp["back"]);

        Assert.True(File.Exists(_temp["folder", expected]));
        Assert.True(File.Exists(_temp["file", expected]));
        Assert.True(File.Exists(_temp["back", expected]));
    }

    [Fact]
    public void Quantize_OneShardOfSeveral_IsRefused()
    {
        string folder = CheckpointBuilder.Sharded(_temp["m"], [[TestTensor.Floats("a.weight", "F32", 64, 64)], [TestTensor.Floats("b.weight", "F32", 64, 64)]]);

        ToolRun run = ToolRun.Of("quantize", Path.Combine(folder, "model-00002-of-00002.safetensors"), "--output", _temp["out"]);

        Refusal.AssertIs(run, ExitCode.InputUnsupported, "SOURCE-SHARD");
        Refusal.AssertNothingWritten(_temp["out"]);
    }

    [Fact]
    public void Quantize_FolderOfGgufFiles_SaysWhatToGive()
    {
        _temp.Write("m/config.json", "{}"u8);
        _temp.Write("m/tiny-q8_0.gguf", "GGUF"u8);

        ToolRun run = ToolRun.Of("quantize", _temp["m"], "--output", _temp["out"]);

        Refusal.AssertIs(run, ExitCode.InputMissing, "FILE-MISSING");
        Assert.Contains("GGUF is not read: give the safetensors files", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Output_GivenInSomeForm_IsNamedInThatForm()
    {
        string source = HubCache.SmallModel(_temp, "m");
        string quantized = Path.Combine(_temp.Path, ".", "out"), back = Path.Combine(_temp.Path, ".", "back");

        Assert.Contains(quantized, ToolRun.Succeed("quantize", source, "--output", quantized).Out, StringComparison.Ordinal);
        Assert.Contains(quantized, ToolRun.Succeed("finish", quantized).Out, StringComparison.Ordinal);
        Assert.Contains(back, ToolRun.Succeed("dequantize", quantized, "--output", back).Out, StringComparison.Ordinal);
        Assert.Equal(back, JsonResult.Of(ToolRun.Succeed("dequantize", quantized, "--output", back, "--json")).GetProperty("output").GetString());
    }

    [Fact]
    public void Explain_ModelById_IsFoundInTheCache()
    {
        new HubCache(_temp["hub"]).Add("acme/tiny", HubCache.Commit, "main", HubCache.SmallModel(_temp, "m"));

        ToolRun run = ToolProcess.In(_temp.Path, [new("HF_HUB_CACHE", _temp["hub"])], "explain", "acme/tiny@main");

        Assert.Contains("up_proj.weight: quantize", run.Out, StringComparison.Ordinal);
    }
}
