using Bnb.Engine.Errors;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Torch;

/// <summary>PyTorch files through the whole tool: every command does what it does for the same tensors in safetensors.</summary>
public sealed class TorchCheckpointTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static string Sharded => Golden.File("torch", "llama_sharded");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("nf4")]
    [InlineData("fp4")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void Quantize_ShardedBin_GivesTheBytesOfItsSafetensors(string type)
    {
        string[] options = type == "int4" ? ["--type", type, "--group-size", "32"] : ["--type", type];
        ToolRun.Succeed(["quantize", Sharded, "--output", _folder["bin"], .. options]);

        ToolRun.Succeed(["quantize", Equivalent(), "--output", _folder["safetensors"], .. options]);

        Assert.Equal(OutputFolder.FingerprintOfModel(_folder["safetensors"]), OutputFolder.FingerprintOfModel(_folder["bin"]));
        Assert.True(File.Exists(_folder["bin", "model.safetensors"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Quantize_ManyChunksAndSmallShards_GivesTheBytesOfItsSafetensors(bool isTransposed)
    {
        TestTensor[] tensors = Model();
        ToolRun.Succeed("quantize", Bin(tensors, isTransposed), "--output", _folder["a"], "--max-shard-size", "500KB", "--threads", "3");

        ToolRun.Succeed(
            "quantize", CheckpointBuilder.SingleFile(_folder["model"], tensors), "--output", _folder["b"], "--max-shard-size", "500KB", "--threads", "3");

        Assert.Equal(OutputFolder.FingerprintOfModel(_folder["b"]), OutputFolder.FingerprintOfModel(_folder["a"]));
        Assert.True(Directory.GetFiles(_folder["a"], "*.safetensors").Length > 1);
    }

    [Fact]
    public void Verify_AgainstABinSource_Passes()
    {
        ToolRun.Succeed("quantize", Sharded, "--output", _folder["out"]);

        ToolRun.Succeed("verify", _folder["out"], "--source", Sharded, "--max-rel-error", "0.5");
    }

    [Fact]
    public void Diff_BinAndItsSafetensors_AreEqual()
    {
        ToolRun.Succeed("diff", Sharded, Equivalent());
        ToolRun.Succeed("diff", Golden.File("torch", "zip_default.bin"), Golden.File("torch", "expected_main.safetensors"));
        ToolRun.Succeed("diff", Golden.File("torch", "legacy.bin"), Golden.File("torch", "expected_main.safetensors"));
    }

    [Fact]
    public void Inspect_Bin_CountsTheTensorsOfItsSafetensors()
    {
        Assert.Equal(21, Count(Sharded));
        Assert.Equal(21, Count(Equivalent()));

        static int Count(string path) => JsonResult.Of(ToolRun.Succeed("inspect", path, "--json")).GetProperty("tensors").GetArrayLength();
    }

    [Theory]
    [InlineData("nf4")]
    [InlineData("int8")]
    public void Dequantize_QuantizedTensorsInABin_GivesTheBytesOfTheirSafetensors(string type)
    {
        ToolRun.Succeed("quantize", Equivalent(), "--output", _folder["quantized"], "--type", type);
        Directory.CreateDirectory(_folder["bin"]);
        File.Copy(_folder["quantized", "config.json"], _folder["bin", "config.json"]);
        var tensors = OutputFolder.Tensors(_folder["quantized"]);
        File.WriteAllBytes(
            _folder["bin", "pytorch_model.bin"],
            TorchCheckpoint.Write(tensors.Values.Select(tensor => new TestTensor(
                tensor.Info.Name, tensor.Info.DType.Name(), [.. tensor.Info.Shape.Dimensions], tensor.Bytes))));

        ToolRun.Succeed("dequantize", _folder["bin"], "--output", _folder["a"], "--max-shard-size", "10KB");
        ToolRun.Succeed("dequantize", _folder["quantized"], "--output", _folder["b"], "--max-shard-size", "10KB");

        Assert.Equal(OutputFolder.FingerprintOfModel(_folder["b"]), OutputFolder.FingerprintOfModel(_folder["a"]));
    }

    [Fact]
    public void Quantize_FlippedBitInAStorage_Catalogue140_StopsAndLeavesNothing()
    {
        string source = Bin(Model(), isTransposed: false);
        string path = Path.Combine(source, "pytorch_model.bin");
        byte[] bytes = File.ReadAllBytes(path);
        CheckpointTensor tensor = Checkpoint.Open(source, requireConfig: true).Tensors.Single(found => found.Name.EndsWith("up_proj.weight", StringComparison.Ordinal));
        bytes[tensor.FileOffset + 1000] ^= 1;
        File.WriteAllBytes(path, bytes);

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.DataCheckFailed, "PT-CRC");
        Assert.Contains("record    data/", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Theory]
    [InlineData("hostile_zip.bin")]
    [InlineData("hostile_legacy.bin")]
    [InlineData("hostile_eval_zip.bin")]
    [InlineData("hostile_raw_pickle.bin")]
    public void Inspect_HostileFileOfTorch_NamesWhatItWantsAndRunsNothing(string file)
    {
        ToolRun run = ToolRun.Of("inspect", Golden.File("torch", file));

        Refusal.AssertIs(run, ExitCode.InputUnsafe, "PT-GLOBAL");
        Assert.Contains("nothing of the file was executed", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("HOSTILE", run.Out + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_SafetensorsAndBin_TakesTheSafetensors()
    {
        string source = CheckpointBuilder.SingleFile(_folder["model"], Model());
        File.WriteAllBytes(Path.Combine(source, "pytorch_model.bin"), [1, 2, 3]);

        ToolRun run = ToolRun.Succeed("quantize", source, "--output", _folder["out"]);

        Assert.Contains("pytorch_model.bin", run.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_folder["out", "pytorch_model.bin"]));
    }

    /// <summary>In the order in which the safetensors library writes them.</summary>
    private static TestTensor[] Model() =>
    [
        TestTensor.Floats("lm_head.weight", "F32", 40, 512),
        TestTensor.Floats("model.embed_tokens.weight", "F32", 40, 512),
        TestTensor.Floats("model.layers.0.mlp.up_proj.weight", "F32", 1500, 512),
        TestTensor.Floats("model.norm.weight", "F32", 512),
        TestTensor.Floats("model.layers.0.self_attn.q_proj.weight", "BF16", 512, 512),
        TestTensor.Floats("model.layers.0.mlp.down_proj.weight", "F16", 512, 1500),
    ];

    private string Bin(TestTensor[] tensors, bool isTransposed)
    {
        _folder.Write("torch/config.json", System.Text.Encoding.UTF8.GetBytes(CheckpointBuilder.LlamaConfig));
        // In another order than that.
        _folder.Write("torch/pytorch_model.bin", TorchCheckpoint.Write(tensors.Reverse(), isTransposed));
        return _folder["torch"];
    }

    private string Equivalent()
    {
        string folder = _folder["equivalent"];
        if (Directory.Exists(folder)) return folder;
        Directory.CreateDirectory(folder);
        File.Copy(Path.Combine(Sharded, "config.json"), Path.Combine(folder, "config.json"));
        File.Copy(Path.Combine(Sharded, "expected", "model.safetensors"), Path.Combine(folder, "model.safetensors"));
        return folder;
    }
}
