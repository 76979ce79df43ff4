using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary>SIGKILL at chosen system calls: the output is the old one or the new one, never a part, and a rerun succeeds.</summary>
public sealed class KillTests(KillTests.Model model) : IClassFixture<KillTests.Model>, IDisposable
{
    private readonly TempFolder _folder = new();

    private string Output => _folder["out"];

    private string Staging => StagingNames.FolderFor(OutputPlace.Of(Output));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("pwrite64", 1)]
    [InlineData("pwrite64", 3)]
    [InlineData("fsync", 2)]
    [InlineData("fsync", 5)]
    [InlineData("rename", 1)]
    [InlineData("renameat2", 1)]
    public void Quantize_Killed_LeavesNoOutputOrAllOfItAndARerunSucceeds(string call, int when)
    {
        Model.SkipIfMissing();
        Kill(call, when);

        if (Directory.Exists(Output)) Assert.Equal(model.New, Fingerprint());
        ToolRun.Succeed(["quantize", model.Source, "--output", Output, .. Model.Options]);

        AssertNewAndNothingElse();
    }

    [Theory]
    [InlineData("pwrite64")]
    [InlineData("fsync")]
    [InlineData("rename")]
    [InlineData("unlink")]
    [InlineData("openat")]
    public void Quantize_KilledAgainAndAgain_EndsInTheSameBytes(string call)
    {
        Model.SkipIfMissing();
        int finished = 0;
        // Each run is killed a few calls later than the one before, so that kills fall into the work of resumed runs too.
        foreach (int when in (int[])[1, 2, 4, 7, 3, 12, 20, 30, 9])
        {
            _ = Traced(call, when);
            if (Directory.Exists(Output)) break;
            int now = Directory.Exists(Staging) ? Directory.GetFiles(Staging, "*.safetensors").Length : 0;
            Assert.True(now >= finished, $"{finished} weight files were finished, {now} are left");
            finished = now;
        }

        ToolRun.Succeed(["quantize", model.Source, "--output", Output, .. Model.Options]);

        AssertNewAndNothingElse();
    }

    [Theory]
    [InlineData("pwrite64", 5, 3, 8)]
    [InlineData("fsync", 9, 4, 14)]
    [InlineData("rename", 2, 4, 1)]
    public void Quantize_WorkersKilledAndRunAgain_EndInTheSameBytes(string call, params int[] when)
    {
        Model.SkipIfMissing();
        for (int worker = 1; worker <= when.Length; worker++) _ = Traced(call, when[worker - 1], "--worker", $"{worker}/{when.Length}");
        Assert.False(Directory.Exists(Output));

        for (int worker = when.Length; worker >= 1; worker--)
            ToolRun.Succeed(["quantize", model.Source, "--output", Output, .. Model.Options, "--worker", $"{worker}/{when.Length}"]);

        AssertNewAndNothingElse();
    }

    /// <summary>File systems on which flock succeeds for everybody: names and bytes alone keep workers apart.</summary>
    [Fact]
    public async Task Quantize_WorkersWhoseLocksHoldNobodyBack_EndInTheSameBytes()
    {
        Model.SkipIfMissing();
        ToolRun[] both = await Task.WhenAll(Enumerable.Range(1, 2).Select(worker => Task.Run(() => ToolProcess.Traced(
            model.LogPath + worker,
            ["-e", "trace=flock", "-e", "inject=flock:retval=0"],
            ["quantize", model.Source, "--output", Output, .. Model.Options, "--worker", $"{worker}/2"]))));

        // One may find its folder gone, because the other gave it its final name.
        Assert.All(both, run => Assert.True(run.Exit is ExitCode.Done or ExitCode.IoError or ExitCode.CannotResume, $"{run.Exit}: {run.Error}"));
        if (Directory.Exists(Output)) Assert.Equal(model.New, Fingerprint());
        foreach (string worker in (string[])["1/2", "2/2"]) ToolRun.Succeed(["quantize", model.Source, "--output", Output, .. Model.Options, "--worker", worker]);
        AssertNewAndNothingElse();
    }

    [Theory]
    [InlineData("pwrite64", 2)]
    [InlineData("fsync", 7)]
    [InlineData("renameat2", 1)]
    [InlineData("unlink", 1)]
    [InlineData("unlink", 4)]
    [InlineData("rmdir", 2)]
    public void Quantize_KilledWhileOverwriting_LeavesTheOldOrTheNewOutputAndARerunSucceeds(string call, int when)
    {
        Model.SkipIfMissing();
        ToolRun.Succeed(["quantize", model.Source, "--output", Output, .. Model.Options, "--type", "fp4"]);
        Assert.Equal(model.Old, Fingerprint());

        Kill(call, when, "--overwrite");

        Assert.Contains(Fingerprint(), (string[])[model.Old, model.New]);
        ToolRun.Succeed(["quantize", model.Source, "--output", Output, .. Model.Options, "--overwrite"]);
        AssertNewAndNothingElse();
    }

    private void Kill(string call, int when, params string[] options) =>
        Assert.Equal((ExitCode)137, Traced(call, when, options).Exit);

    private ToolRun Traced(string call, int when, params string[] options) => ToolProcess.Traced(
        model.LogPath,
        ["-e", "trace=" + call, "-e", $"inject={call}:signal=SIGKILL:when={when}"],
        ["quantize", model.Source, "--output", Output, .. Model.Options, .. options]);

    /// <summary>Of the output without what a run keeps about itself, which only says that it was not finished.</summary>
    private string Fingerprint() =>
        string.Join('\n', OutputFolder.Fingerprint(Output).Split('\n').Where(line => !line.StartsWith(".bnb-", StringComparison.Ordinal)));

    private void AssertNewAndNothingElse()
    {
        Assert.Equal(model.New, OutputFolder.Fingerprint(Output));
        Assert.Equal([Output], Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    /// <summary>A source of two shards, and what undisturbed runs make of it.</summary>
    public sealed class Model : IDisposable
    {
        private readonly TempFolder _folder = new();

        public Model()
        {
            new SampleCheckpoint(1, 64, 300).Write(Source);
            ToolRun.Succeed(["quantize", Source, "--output", _folder["new"], .. Options]);
            ToolRun.Succeed(["quantize", Source, "--output", _folder["old"], .. Options, "--type", "fp4"]);
            New = OutputFolder.Fingerprint(_folder["new"]);
            Old = OutputFolder.Fingerprint(_folder["old"]);
        }

        public static IReadOnlyList<string> Options { get; } = ["--threads", "1", "--max-shard-size", "20kB"];

        public string Source => _folder["source"];

        public string LogPath => _folder["strace.log"];

        public string New { get; }

        public string Old { get; }

        public static void SkipIfMissing()
        {
            ToolProcess.SkipWithout("strace");
            Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        }

        public void Dispose() => _folder.Dispose();
    }
}
