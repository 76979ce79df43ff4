using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Quantizing;
using Bnb.Quant.Backends;
using Bnb.TestKit;
using Bnb.Tool.Tests.Processes;
using Xunit;

namespace Bnb.Tool.Tests.Bytes;

/// <summary>The same source and recipe give the same bytes, whatever the machine is allowed to do.</summary>
public sealed class DeterminismTests(DeterminismTests.Model model) : IClassFixture<DeterminismTests.Model>, IDisposable
{
    private readonly TempFolder _folder = new();

    public static TheoryData<KernelPath> Paths => [.. KernelPaths.Available];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--threads", "1")]
    [InlineData("--threads", "2")]
    [InlineData("--threads", "7")]
    [InlineData("--threads", "64")]
    [InlineData("--max-memory", "320kB")]
    [InlineData("--max-memory", "400kB")]
    [InlineData("--max-memory", "3MB")]
    [InlineData("--max-memory", "2GB")]
    [InlineData("--threads", "7", "--max-memory", "3MB")]
    [InlineData("--verbosity", "diagnostic")]
    public void Quantize_AnyThreadsAndMemory_GivesTheSameBytes(params string[] options)
    {
        ToolRun.Succeed(["quantize", model.Source, "--output", _folder["out"], "--max-shard-size", "100kB", .. options]);

        Assert.Equal(model.Fingerprint, OutputFolder.Fingerprint(_folder["out"]));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_AnyKernelPath_GivesTheSameBytes(KernelPath path)
    {
        var request = new QuantizeRequest
        {
            SourcePath = model.Source,
            OutputPath = _folder["out"],
            MaxShardBytes = 100_000,
            KernelPath = path,
        };

        QuantizeRun.Execute(request, NoEvents.Instance, CancellationToken.None);

        Assert.Equal(model.Fingerprint, OutputFolder.Fingerprint(_folder["out"]));
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Quantize_KernelPathFromTheEnvironment_IsUsedAndGivesTheSameBytes(KernelPath path)
    {
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        ToolRun run = ToolProcess.In(
            _folder.Path,
            [KeyValuePair.Create(KernelPaths.Variable, path.ToString().ToUpperInvariant())],
            "quantize", model.Source, "--output", "out", "--max-shard-size", "100kB", "--verbosity", "diagnostic");

        Assert.Equal(ExitCode.Done, run.Exit);
        Assert.Contains($"kernel path {path}, ", run.Error, StringComparison.Ordinal);
        Assert.Equal(model.Fingerprint, OutputFolder.Fingerprint(_folder["out"]));
    }

    [Theory]
    [InlineData("avx1024")]
    [InlineData("1")]
    public void Quantize_UnknownKernelPath_IsAUsageErrorThatNamesTheOnesThereAre(string name)
    {
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        ToolRun run = ToolProcess.In(
            _folder.Path, [KeyValuePair.Create(KernelPaths.Variable, name)], "quantize", model.Source, "--output", "out");

        Refusal.AssertIs(run, ExitCode.Usage, "USAGE");
        Assert.Contains("reference, v128, v256, v512", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(_folder["out"]);
    }

    [Fact]
    public void Quantize_OtherCutsOfTheSameOrder_GiveTheSameBytes()
    {
        string single = CheckpointBuilder.SingleFile(_folder["single"], Model.Tensors, Model.Config);
        string sharded = CheckpointBuilder.Sharded(_folder["sharded"], [.. Model.Tensors.Chunk(2)], Model.Config);

        ToolRun.Succeed("quantize", single, "--output", _folder["a"], "--max-shard-size", "100kB");
        ToolRun.Succeed("quantize", sharded, "--output", _folder["b"], "--max-shard-size", "100kB");

        Assert.Equal(model.FingerprintOfModel, OutputFolder.FingerprintOfModel(_folder["a"]));
        Assert.Equal(model.FingerprintOfModel, OutputFolder.FingerprintOfModel(_folder["b"]));
    }

    [Theory]
    [InlineData("model", "out")]
    [InlineData("./model/", "./out/")]
    [InlineData("model/../model", "model/../out")]
    [InlineData("model/model.safetensors", "out")]
    public void Quantize_RelativePaths_GiveTheBytesOfAbsoluteOnes(string source, string output)
    {
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        CheckpointBuilder.SingleFile(_folder["model"], Model.Tensors, Model.Config);

        ToolRun run = ToolProcess.In(_folder.Path, [], "quantize", source, "--output", output, "--max-shard-size", "100kB");

        Assert.True(run.Exit == ExitCode.Done, run.Error);
        Assert.Equal(model.Fingerprint, OutputFolder.Fingerprint(_folder["out"]));
    }

    [Fact]
    public void Quantize_FileInTheWorkingFolder_Works()
    {
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        CheckpointBuilder.SingleFile(_folder["model"], Model.Tensors, Model.Config);

        ToolRun run = ToolProcess.In(
            _folder["model"], [], "quantize", "model.safetensors", "--output", "../out", "--max-shard-size", "100kB");

        Assert.True(run.Exit == ExitCode.Done, run.Error);
        Assert.Equal(model.Fingerprint, OutputFolder.Fingerprint(_folder["out"]));
    }

    /// <summary>A GPT-2 with transposed, plain and copied tensors of several chunks, and what one plain run makes of it.</summary>
    public sealed class Model : IDisposable
    {
        public const string Config = """{"model_type": "gpt2"}""";

        private readonly TempFolder _folder = new();

        public Model()
        {
            Source = CheckpointBuilder.SingleFile(_folder["model"], Tensors, Config);
            ToolRun.Succeed("quantize", Source, "--output", _folder["out"], "--max-shard-size", "100kB");
            Fingerprint = OutputFolder.Fingerprint(_folder["out"]);
            FingerprintOfModel = OutputFolder.FingerprintOfModel(_folder["out"]);
        }

        public static IReadOnlyList<TestTensor> Tensors { get; } =
        [
            RandomWeights.Of("wte.weight", "F16", 1, 50, 96),
            RandomWeights.Of("h.0.attn.c_attn.weight", "F16", 2, 96, 288),
            RandomWeights.Of("h.0.mlp.c_fc.weight", "F16", 3, 257, 1033),
            RandomWeights.Of("h.0.mlp.up_proj.weight", "F16", 4, 301, 1001),
            RandomWeights.Of("h.0.ln_1.weight", "F16", 5, 96),
        ];

        public string Source { get; }

        public string Fingerprint { get; }

        public string FingerprintOfModel { get; }

        public void Dispose() => _folder.Dispose();
    }
}
