using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary>SIGKILL at chosen system calls: the output is the old one or the new one, never a part, and a rerun succeeds.</summary>
public sealed class KillTests(KillTests.Model model) : IClassFixture<KillTests.Model>, IDisposable
{
    private readonly TempFolder _folder = new();

    private string Output => _folder["out"];

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
        ToolRun.Succeed(["quantize", model.Source, "--output", Output, .. Model.Options, "--overwrite"]);

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

    private void Kill(string call, int when, params string[] options)
    {
        ToolRun run = ToolProcess.Traced(
            model.LogPath,
            ["-e", "trace=" + call, "-e", $"inject={call}:signal=SIGKILL:when={when}"],
            ["quantize", model.Source, "--output", Output, .. Model.Options, .. options]);
        Assert.Equal((ExitCode)137, run.Exit);
    }

    /// <summary>Of the output without the journal, which only says that a run was not finished.</summary>
    private string Fingerprint() =>
        string.Join('\n', OutputFolder.Fingerprint(Output).Split('\n').Where(line => !line.StartsWith(".bnb-journal", StringComparison.Ordinal)));

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

        public static IReadOnlyList<string> Options { get; } = ["--threads", "1", "--max-shard-size", "60kB"];

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
