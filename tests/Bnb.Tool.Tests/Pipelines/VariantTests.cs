using Bnb.Engine.Errors;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Pipelines;

/// <summary>Weights whose files have a variant's name: which are read, and that the output has plain names.</summary>
public sealed class VariantTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj.weight";
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(null, "F32")]
    [InlineData("fp16", "F16")]
    [InlineData("bf16", "BF16")]
    public void Quantize_FolderWithVariants_ReadsTheOneAskedFor(string? variant, string dtype)
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats(Query, "F32", 64, 64)]);
        File.WriteAllBytes(Path.Combine(source, "model.fp16.safetensors"), CheckpointBuilder.Safetensors(TestTensor.Floats(Query, "F16", 64, 64)));
        File.WriteAllBytes(Path.Combine(source, "model.bf16.safetensors"), CheckpointBuilder.Safetensors(TestTensor.Floats(Query, "BF16", 64, 64)));
        string expected = CheckpointBuilder.SingleFile(_folder["expected"], [TestTensor.Floats(Query, dtype, 64, 64)]);

        ToolRun.Succeed(["quantize", source, "--output", _folder["out"], .. variant is null ? (string[])[] : ["--variant", variant]]);
        ToolRun.Succeed("quantize", expected, "--output", _folder["alone"]);

        Assert.Equal(OutputFolder.FingerprintOfModel(_folder["alone"]), OutputFolder.FingerprintOfModel(_folder["out"]));
        // The manifest says which of the source's files they come from.
        ToolRun.Succeed("verify", _folder["out"], "--source", source);
    }

    [Theory]
    [InlineData("model.safetensors.index.fp16.json")]
    [InlineData("model.fp16.safetensors.index.json")]
    public void Quantize_VariantInSeveralFiles_IsReadByItsIndex(string index)
    {
        string source = CheckpointBuilder.Sharded(_folder["source"], [[TestTensor.Floats(Query, "F32", 64, 64)], [TestTensor.Floats("model.norm.weight", "F32", 64)]]);
        string[] shards = ["model.fp16-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors"];
        File.WriteAllBytes(Path.Combine(source, shards[0]), CheckpointBuilder.Safetensors(TestTensor.Floats(Query, "F16", 64, 64)));
        File.WriteAllBytes(Path.Combine(source, shards[1]), CheckpointBuilder.Safetensors(TestTensor.Floats("model.norm.weight", "F16", 64)));
        File.WriteAllText(Path.Combine(source, index), CheckpointBuilder.Index([(Query, shards[0]), ("model.norm.weight", shards[1])], 1));

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--variant", "fp16");

        Assert.Equal("F16", OutputFolder.Tensors(_folder["out"])["model.norm.weight"].Info.DType.ToString());
        Assert.Equal(
            ["bnb-manifest.json", "config.json", "model.safetensors"],
            Directory.EnumerateFiles(_folder["out"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Quantize_VariantThatIsNotThere_ListsThoseThatAre()
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats(Query, "F32", 64, 64)]);
        File.WriteAllBytes(Path.Combine(source, "model.fp16.safetensors"), CheckpointBuilder.Safetensors(TestTensor.Floats(Query, "F16", 64, 64)));

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"], "--variant", "non_ema");

        Refusal.AssertIs(run, ExitCode.InputMissing, "FILE-MISSING");
        Assert.Contains("--variant fp16", run.Error, StringComparison.Ordinal);
        Refusal.AssertIs(
            ToolRun.Of("quantize", Path.Combine(source, "model.fp16.safetensors"), "--output", _folder["out"], "--variant", "fp16"), ExitCode.Usage, "USAGE");
        Refusal.AssertIs(ToolRun.Of("quantize", source, "--output", _folder["out"], "--variant", "../x"), ExitCode.Usage, "USAGE");
    }

    [Fact]
    public void Quantize_SeveralVariantsAndNoPlainFile_AsksForOne()
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats(Query, "F32", 64, 64)]);
        File.Move(Path.Combine(source, "model.safetensors"), Path.Combine(source, "model.fp32.safetensors"));
        File.WriteAllBytes(Path.Combine(source, "model.fp16.safetensors"), CheckpointBuilder.Safetensors(TestTensor.Floats(Query, "F16", 64, 64)));

        ToolRun run = ToolRun.Of("quantize", source, "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.InputMissing, "FILE-MISSING");
        Assert.Contains("--variant", run.Error, StringComparison.Ordinal);
        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--variant", "fp32");
    }

    [Fact]
    public void OtherCommands_OnAVariant_ReadTheOneAskedFor()
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats(Query, "F32", 64, 64)]);
        File.WriteAllBytes(
            Path.Combine(source, "model.fp16.safetensors"),
            CheckpointBuilder.Safetensors(TestTensor.Floats(Query, "F16", 64, 64), TestTensor.Floats("model.layers.1.self_attn.q_proj.weight", "F16", 64, 64)));

        Assert.Contains("F16", ToolRun.Succeed("inspect", source, "--variant", "fp16").Out, StringComparison.Ordinal);
        Assert.DoesNotContain("F16", ToolRun.Succeed("inspect", source).Out, StringComparison.Ordinal);
        Assert.Contains("layers.1", ToolRun.Succeed("explain", source, "--variant", "fp16").Out, StringComparison.Ordinal);
        Assert.DoesNotContain("layers.1", ToolRun.Succeed("explain", source).Out, StringComparison.Ordinal);
        ToolRun.Succeed("init", source, "--variant", "fp16", "--output", _folder["init.json"]);
        ToolRun.Succeed("plan", source, "--variant", "fp16", "--dtype", "bfloat16", "--target-bits", "8", "--output", _folder["plan.json"]);
        foreach (string recipe in (string[])["init", "plan"])
        {
            ToolRun.Succeed("quantize", source, "--output", _folder[recipe], "--config", _folder[recipe + ".json"]);
            Assert.Contains("model.layers.1.self_attn.q_proj.weight", OutputFolder.Tensors(_folder[recipe]).Keys);
        }

        foreach (string command in (string[])["inspect", "explain"])
            Refusal.AssertIs(ToolRun.Of(command, source, "--variant", "ema"), ExitCode.InputMissing, "FILE-MISSING");
    }

    // What is copied has half the bytes, so more is left for the rest.
    [Fact]
    public void Plan_Dtype_CountsTheCastBytes()
    {
        string source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats(Query, "F32", 64, 64), TestTensor.Floats("model.embed_tokens.weight", "F32", 64, 64)]);

        ToolRun plain = ToolRun.Succeed("plan", source, "--max-error", "0.2", "--json"), cast = ToolRun.Succeed("plan", source, "--max-error", "0.2", "--dtype", "bfloat16", "--json");

        Assert.InRange(Bytes(plain) - Bytes(cast), (2 * 64 * 64) - 100, (2 * 64 * 64) + 100);
        ToolRun.Succeed("plan", source, "--max-error", "0.2", "--dtype", "bfloat16", "--output", _folder["plan.json"]);
        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--config", _folder["plan.json"]);
        Assert.Equal(OutputFolder.WeightFileBytes(_folder["out"]), Bytes(cast));

        static long Bytes(ToolRun run) => JsonResult.Of(run).GetProperty("bytes").GetInt64();
    }

    [Fact]
    public void Quantize_VariantOfAPipeline_HasPlainNamesAndNoCopiesOfTheOthers()
    {
        string source = SmallPipeline.Write(_folder, "pipe");
        _folder.Write("pipe/vae/diffusion_pytorch_model.fp16.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats(SmallPipeline.Decoder, "F16", 64, 64)));
        _folder.Write("pipe/transformer/diffusion_pytorch_model.fp16.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats(SmallPipeline.Query, "F16", 128, 128)));
        // A second variant of the encoder is not asked for and not copied.
        _folder.Write("pipe/text_encoder/model.bf16.safetensors", CheckpointBuilder.Safetensors(TestTensor.Floats("x.weight", "BF16", 64, 64)));

        ToolRun.Succeed("quantize", source, "--output", _folder["out"], "--variant", "fp16");

        Assert.Equal(
            File.ReadAllBytes(Path.Combine(source, "vae", "diffusion_pytorch_model.fp16.safetensors")),
            File.ReadAllBytes(_folder["out", "vae", "diffusion_pytorch_model.safetensors"]));
        foreach ((string component, string file) in ((string, string)[])[("vae", "diffusion_pytorch_model.safetensors"), ("text_encoder", "model.safetensors"), ("transformer", "diffusion_pytorch_model.safetensors")])
            Assert.Equal(["config.json", file], Directory.EnumerateFiles(_folder["out", component]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        ToolRun.Succeed("verify", _folder["out"], "--source", source);
        Refusal.AssertIs(ToolRun.Of("quantize", source, "--output", _folder["none"], "--variant", "ema"), ExitCode.InputMissing, "FILE-MISSING");
    }
}
