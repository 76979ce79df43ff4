using System.Text.RegularExpressions;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary>System calls that fail, injected by strace into the unmodified tool.</summary>
public sealed class FaultTests : IDisposable
{
    private static readonly string[] Options = ["--threads", "1", "--max-shard-size", "200kB"];

    private readonly TempFolder _folder = new();
    private readonly string _source;

    public FaultTests()
    {
        ToolProcess.SkipWithout("strace");
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        _source = _folder["models", "source"];
        new SampleCheckpoint(1, 128, 300).Write(_source);
        Directory.CreateDirectory(_folder["place"]);
    }

    private string Output => _folder["place", "out"];

    public void Dispose() => _folder.Dispose();

    // strace counts calls per thread: the first of the main thread belongs to the journal, later ones to side files, index
    // and config; those of a worker and of the completing thread to shards.
    [Theory]
    [InlineData("pwrite64:error=ENOSPC:when=1", ExitCode.NoSpace, "NOSPACE")]
    [InlineData("pwrite64:error=ENOSPC:when=2+", ExitCode.NoSpace, "NOSPACE")]
    [InlineData("pwrite64:error=EDQUOT:when=3", ExitCode.NoSpace, "NOSPACE")]
    [InlineData("pwrite64:error=EFBIG:when=3", ExitCode.NoSpace, "FILE-TOO-LARGE")]
    [InlineData("pwrite64:error=EIO:when=4", ExitCode.IoError, "IO")]
    [InlineData("fallocate:error=ENOSPC", ExitCode.NoSpace, "NOSPACE")]
    [InlineData("fsync:error=EIO:when=1", ExitCode.IoError, "IO")]
    [InlineData("fsync:error=EIO:when=2", ExitCode.IoError, "IO")]
    [InlineData("rename:error=EIO", ExitCode.IoError, "IO")]
    [InlineData("renameat2:error=EIO", ExitCode.IoError, "IO")]
    [InlineData("ftruncate:error=EIO:when=2", ExitCode.IoError, "IO")]
    public void Quantize_CallFails_LeavesNothingOrWhatTheSameCommandGoesOnFrom(string fault, object exit, string code)
    {
        string before = FolderState.Of(_source);

        ToolRun run = Inject(fault);

        Refusal.AssertIs(run, (ExitCode)exit, code);
        Assert.False(Path.Exists(Output));
        bool kept = Path.Exists(StagingNames.FolderFor(OutputPlace.Of(Output)));
        Assert.Matches(kept ? @"\n\d+ of \d+ weight files are kept in .*\n$" : @"\nnothing was written\n$", run.Error);
        Assert.Equal(before, FolderState.Of(_source));
        AssertRunAgainEndsAsEver();
    }

    [Theory]
    [InlineData("fallocate:error=EOPNOTSUPP")]
    [InlineData("sync_file_range:error=ENOSYS")]
    [InlineData("renameat2:error=EINVAL")]
    [InlineData("renameat2:error=ENOSYS", "--overwrite")]
    public void Quantize_CallThatAFileSystemMayLack_DoesWithoutIt(string fault, params string[] options)
    {
        ToolRun.Succeed(["quantize", _source, "--output", _folder["place", "fresh"], .. Options]);
        if (options.Length > 0) ToolRun.Succeed("quantize", _source, "--output", Output, "--type", "fp4");

        ToolRun run = Inject(fault, options);

        Assert.True(run.Exit == ExitCode.Done, $"{run.Exit}: {run.Error}");
        Assert.Equal(OutputFolder.Fingerprint(_folder["place", "fresh"]), OutputFolder.Fingerprint(Output));
        Assert.Equal(2, Directory.EnumerateFileSystemEntries(_folder["place"]).Count());
    }

    [Fact]
    public void Quantize_FolderThatCannotBeSynced_IsDoneWithout()
    {
        ToolRun run = Inject("fsync:error=EINVAL", [], StagingNames.FolderFor(OutputPlace.Of(Output)), _folder["place"]);

        Assert.True(run.Exit == ExitCode.Done, $"{run.Exit}: {run.Error}");
        OutputContract.AssertHolds(Output);
    }

    [Theory]
    [InlineData("mkdir:error=EACCES")]
    [InlineData("mkdir:error=EROFS")]
    public void Quantize_ParentThatCannotBeWritten_IsRefusedBeforeAnyWork(string fault)
    {
        ToolRun run = Inject(fault, [], StagingNames.FolderFor(OutputPlace.Of(Output)));

        Refusal.AssertIs(run, ExitCode.OutputRefused, "DENIED");
        Refusal.AssertNothingWritten(Output);
    }

    [Theory]
    [InlineData("flock:error=EIO", ExitCode.IoError, "IO")]
    [InlineData("openat:error=EIO:when=1", ExitCode.IoError, "IO")]
    [InlineData("openat:error=EACCES:when=1", ExitCode.OutputRefused, "DENIED")]
    public void Quantize_StagingFolderThatCannotBeTaken_IsNotLeftEmpty(string fault, object exit, string code)
    {
        ToolRun run = Inject(fault, [], StagingNames.FolderFor(OutputPlace.Of(Output)));

        Assert.Contains("INJECTED", File.ReadAllText(_folder["strace.log"]), StringComparison.Ordinal);
        Refusal.AssertIs(run, (ExitCode)exit, code);
        Refusal.AssertNothingWritten(Output);
    }

    [Fact]
    public void Quantize_FileSystemWithoutLocks_SaysSoAndWorks()
    {
        ToolRun run = Inject("flock:error=ENOLCK");

        Assert.True(run.Exit == ExitCode.Done, $"{run.Exit}: {run.Error}");
        Assert.Contains("the file system has no locks", run.Error, StringComparison.Ordinal);
        OutputContract.AssertHolds(Output);
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder["place"]));
    }

    [Fact]
    public void Quantize_ParentThatFailsToSync_SaysThatTheOutputIsThere()
    {
        ToolRun run = Inject("fsync:error=EIO", [], _folder["place"]);

        Refusal.AssertIs(run, ExitCode.IoError, "IO");
        Assert.EndsWith($"\nthe output is complete: {Output}\n", run.Error, StringComparison.Ordinal);
        // The next run finishes what is left of this one.
        ToolRun.Succeed("quantize", _source, "--output", Output, "--overwrite");
        OutputContract.AssertHolds(Output);
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder["place"]));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Quantize_ReadFails_IsNotTakenForTheOutputsFault(int read)
    {
        string shard = Path.Combine(_source, "model-00002-of-00002.safetensors");

        ToolRun run = Inject($"pread64:error=EIO:when={read}", [], shard);

        Refusal.AssertIs(run, ExitCode.IoError, "IO");
        Assert.Matches($"read {Regex.Escape(shard)} at byte [0-9]+: ", run.Error);
        Assert.False(Path.Exists(Output));
        AssertRunAgainEndsAsEver();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Quantize_SyncFails_NamesTheFile(int call)
    {
        ToolRun run = Inject($"fsync:error=EIO:when={call}");

        Refusal.AssertIs(run, ExitCode.IoError, "IO");
        Assert.Contains($"fsync {Output}.bnb-partial", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_ShortWrites_AreContinued()
    {
        ToolRun run = Inject("pwrite64:retval=1:when=6");

        // The injected call writes nothing, so the bytes are wrong: what counts is that the rest was written.
        Assert.True(run.Exit is ExitCode.Done or ExitCode.VerificationFailed, $"{run.Exit}: {run.Error}");
        string[] calls = [.. File.ReadLines(_folder["strace.log"]).Where(line => line.Contains(" pwrite64(", StringComparison.Ordinal))];
        int cut = Array.FindIndex(calls, line => line.Contains("INJECTED", StringComparison.Ordinal));
        string thread = calls[cut].Split(' ')[0];
        string next = calls.Skip(cut + 1).First(line => line.StartsWith(thread + " ", StringComparison.Ordinal));
        (long offset, long length) = Place(calls[cut]);
        Assert.Equal((offset + 1, length - 1), Place(next));
    }

    // A write that claims to have written more than it was given is nothing that any code expects: it throws in the middle of the runtime,
    // on the main thread (the journal), on workers and on the thread that completes shards.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Quantize_ExceptionThatNobodyExpects_IsOneErrorAndNothingHalfWritten(int write)
    {
        string before = FolderState.Of(_source);

        ToolRun run = Inject($"pwrite64:retval=2000000000:when={write}");

        Refusal.AssertIs(run, ExitCode.InternalError, "INTERNAL");
        Assert.Contains("error[INTERNAL]: ArgumentOutOfRangeException: ", run.Error, StringComparison.Ordinal);
        Assert.Contains("  do  this is a bug: report it with a --log-file\n", run.Error, StringComparison.Ordinal);
        Assert.False(Path.Exists(Output));
        Assert.Equal(before, FolderState.Of(_source));
        AssertRunAgainEndsAsEver();
    }

    // The disk's lie is told by somebody else here: while fsync of the first shard is held up, a byte of its header is changed.
    [Fact]
    public async Task Quantize_ShardThatReadsBackAsSomethingElse_IsNotCommitted()
    {
        string staging = StagingNames.FolderFor(OutputPlace.Of(Output));
        Task<ToolRun> running = Task.Run(() => Inject("fsync:delay_enter=2000000:when=1+"), TestContext.Current.CancellationToken);
        string changed = await HeaderChanged(staging, running);

        ToolRun run = await running;

        Refusal.AssertIs(run, ExitCode.VerificationFailed, "WRITE-VERIFY");
        Assert.Contains(changed, run.Error, StringComparison.Ordinal);
        Assert.Contains("  do    check the disk and run the same command again\n", run.Error, StringComparison.Ordinal);
        Assert.EndsWith("\nnothing was written\n", run.Error, StringComparison.Ordinal);
        Assert.False(Path.Exists(Output));
        AssertRunAgainEndsAsEver();
    }

    /// <summary>Waits for a shard's temp file with a whole header, and makes the header something else than JSON.</summary>
    private static async Task<string> HeaderChanged(string staging, Task<ToolRun> running)
    {
        while (!running.IsCompleted)
        {
            await Task.Delay(10);
            foreach (string path in Directory.Exists(staging) ? Directory.GetFiles(staging, ".t-*") : [])
            {
                try
                {
                    using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
                    byte[] head = new byte[9];
                    if (await file.ReadAtLeastAsync(head, 9, throwOnEndOfStream: false) < 9 || head[8] != (byte)'{') continue;
                    file.Position = 8;
                    file.WriteByte((byte)'X');
                    return Path.GetFileName(path);
                }
                catch (FileNotFoundException)
                {
                    // A small file that got its name meanwhile.
                }
            }
        }

        throw new InvalidOperationException($"no shard was seen: {(await running).Error}");
    }

    private void AssertRunAgainEndsAsEver()
    {
        ToolRun.Succeed(["quantize", _source, "--output", Output, .. Options]);
        ToolRun.Succeed(["quantize", _source, "--output", _folder["place", "fresh"], .. Options]);
        Assert.Equal(OutputFolder.Fingerprint(_folder["place", "fresh"]), OutputFolder.Fingerprint(Output));
        Assert.Equal(2, Directory.EnumerateFileSystemEntries(_folder["place"]).Count());
    }

    /// <summary>Offset and length of a logged <c>pwrite64(fd, "..."..., length, offset) = result</c>.</summary>
    private static (long Offset, long Length) Place(string call)
    {
        Match place = Regex.Match(call, @", (\d+), (\d+)(\)| <unfinished)");
        Assert.True(place.Success, call);
        return (long.Parse(place.Groups[2].ValueSpan), long.Parse(place.Groups[1].ValueSpan));
    }

    private ToolRun Inject(string fault, IEnumerable<string>? options = null, params IEnumerable<string> paths) => ToolProcess.Traced(
        _folder["strace.log"],
        ["-e", "trace=" + fault[..fault.IndexOf(':')], "-e", "inject=" + fault, .. paths.SelectMany(path => (string[])["-P", path])],
        ["quantize", _source, "--output", Output, .. Options, .. options ?? []]);
}
