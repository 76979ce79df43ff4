using System.Diagnostics;
using System.Runtime.InteropServices;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.TestKit;
using Bnb.Tool.Tests.Bytes;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary>Signals and changes of the source in the middle of a run.</summary>
public sealed partial class SignalTests : IDisposable
{
    private const int SIGHUP = 1, SIGINT = 2, SIGTERM = 15, SIGCONT = 18, SIGSTOP = 19;

    private readonly TempFolder _folder = new();

    public SignalTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs Linux");
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
    }

    private string Output => _folder["out"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(SIGINT, ExitCode.Interrupted)]
    [InlineData(SIGTERM, ExitCode.Terminated)]
    [InlineData(SIGHUP, ExitCode.Hangup)]
    public void Quantize_Signal_StopsCleanlyWithItsExitCode(int signal, object exit)
    {
        using SlowRun slow = Begin();

        Assert.Equal(0, kill(slow.Process.Id, signal));
        ToolRun run = slow.End();

        Assert.True((ExitCode)exit == run.Exit, $"{run.Exit}: {run.Error}");
        Assert.Contains("error[STOPPED]", run.Error, StringComparison.Ordinal);
        Assert.EndsWith("nothing was written\n", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Quantize_SecondSignal_LeavesAtOnceAndARerunSucceeds()
    {
        using SlowRun slow = Begin();

        // Two of one kind would be one while the run is held.
        Assert.Equal(0, kill(slow.Process.Id, SIGINT));
        Assert.Equal(0, kill(slow.Process.Id, SIGTERM));
        ToolRun run = slow.End();

        Assert.Contains(run.Exit, (ExitCode[])[ExitCode.Interrupted, ExitCode.Terminated]);
        Assert.False(Path.Exists(Output));
        ToolRun.Succeed("quantize", _folder["source"], "--output", Output);
        OutputContract.AssertHolds(Output);
    }

    [Fact]
    public void Quantize_SourceTruncatedMeanwhile_IsNoticed()
    {
        using SlowRun slow = Begin();

        using (var file = new FileStream(slow.Weights, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) file.SetLength(file.Length / 2);
        ToolRun run = slow.End();

        Refusal.AssertIs(run, ExitCode.InputChanged, "INPUT-CHANGED");
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Quantize_SourceRewrittenMeanwhile_IsNoticed()
    {
        using SlowRun slow = Begin();

        using (var file = new FileStream(slow.Weights, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            file.Seek(-1, SeekOrigin.End);
            file.WriteByte(7);
        }

        ToolRun run = slow.End();

        Refusal.AssertIs(run, ExitCode.InputChanged, "INPUT-CHANGED");
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Quantize_ConfigEditedMeanwhile_IsNoticed()
    {
        using SlowRun slow = Begin();

        File.AppendAllText(Path.Combine(_folder["source"], "config.json"), "\n");
        ToolRun run = slow.End();

        Refusal.AssertIs(run, ExitCode.InputChanged, "INPUT-CHANGED");
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Quantize_SecondRunMeanwhile_IsLockedOutAndChangesNothing()
    {
        using SlowRun slow = Begin();

        ToolRun second = ToolRun.Of("quantize", _folder["source"], "--output", Output);
        ToolRun first = slow.End();

        Refusal.AssertIs(second, ExitCode.Locked, "LOCKED");
        Assert.True(first.Exit == ExitCode.Done, first.Error);
        OutputContract.AssertHolds(Output);
    }

    [Fact]
    public void Quantize_StagingFolderDeletedMeanwhile_StopsWithoutAnOutput()
    {
        using SlowRun slow = Begin();

        Directory.Delete(StagingNames.FolderFor(OutputPlace.Of(Output)), recursive: true);
        ToolRun run = slow.End();

        Assert.True(run.Exit == ExitCode.IoError, $"{run.Exit}: {run.Error}");
        Refusal.AssertHarmless(run.Error);
        Assert.DoesNotContain("kept in", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    /// <summary>
    /// A run held by SIGSTOP in its middle: one worker on the slow kernel has enough to do that it is found at work, and
    /// what a test does next is done before the run goes on.
    /// </summary>
    private SlowRun Begin()
    {
        string source = CheckpointBuilder.SingleFile(
            _folder["source"], Enumerable.Range(0, 4).Select(i => RandomWeights.Of($"model.layers.{i}.mlp.down_proj.weight", "F32", i, 1024, 512)));
        return new SlowRun(source, Output);
    }

    private sealed class SlowRun : IDisposable
    {
        private bool _ended;

        public SlowRun(string source, string output)
        {
            Weights = Path.Combine(source, "model.safetensors");
            var start = new ProcessStartInfo(ToolProcess.Executable, ["quantize", source, "--output", output, "--threads", "1", "--max-memory", "400kB"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["BNB_KERNEL_PATH"] = "reference";
            Process = Process.Start(start)!;
            string staging = StagingNames.FolderFor(OutputPlace.Of(output));
            bool begun = SpinWait.SpinUntil(
                () => Process.HasExited || (Directory.Exists(staging) && Directory.EnumerateFiles(staging, ".t-*").Any()), TimeSpan.FromSeconds(30));
            Assert.Equal(0, kill(Process.Id, SIGSTOP));
            Assert.True(begun && !Process.HasExited, "the run was over before it could be disturbed");
        }

        public Process Process { get; }

        public string Weights { get; }

        public ToolRun End()
        {
            _ended = true;
            _ = kill(Process.Id, SIGCONT);
            return ToolProcess.End(Process);
        }

        public void Dispose()
        {
            if (_ended) return;
            Process.Kill();
            Process.Dispose();
        }
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}
