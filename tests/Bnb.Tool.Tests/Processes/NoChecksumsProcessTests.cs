using System.Globalization;
using System.Text.RegularExpressions;
using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary><c>--no-checksums</c> as strace sees it: no weight is read back, and kills and faults leave nothing that is trusted.</summary>
public sealed class NoChecksumsProcessTests : IDisposable
{
    private const string Option = "--no-checksums";

    private readonly TempFolder _folder = new();

    public NoChecksumsProcessTests() => KillTests.Model.SkipIfMissing();

    private string Output => _folder["place", "out"];

    private string Log => _folder["strace.log"];

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// Hashes are of what is read back from the file, so what is not read is not hashed. With hashes the whole file is read: while it is
    /// written (none), at its end (fp4), and where it is short.
    /// </summary>
    [Theory]
    [InlineData("none", 1024, 24_000)]
    [InlineData("fp4", 1024, 24_000)]
    [InlineData("nf4", 128, 300)]
    public void Quantize_BytesReadOfWhatWasWritten_AreTheHeadersAlone(string type, int hidden, int vocabulary)
    {
        new SampleCheckpoint(1, hidden, vocabulary).Write(_folder["source"]);
        string[] command = ["quantize", _folder["source"], "--type", type, "--output"];

        ToolRun.Succeed([.. command, _folder["a"]]);
        FileInfo file = Assert.Single(new DirectoryInfo(_folder["a"]).GetFiles("*.safetensors"));
        long header = 8 + BitConverter.ToInt64(File.ReadAllBytes(file.FullName).AsSpan(0, 8));
        long with = BytesRead([.. command, _folder["b"]]), without = BytesRead([.. command, _folder["c"], Option]);

        Assert.Equal(OutputFolder.FingerprintOfModel(_folder["a"]), OutputFolder.FingerprintOfModel(_folder["c"]));
        Assert.Equal(file.Length + header, with);
        Assert.Equal(header, without);
    }

    [Theory]
    [InlineData("pwrite64", 3)]
    [InlineData("fsync", 5)]
    [InlineData("renameat2", 1)]
    [InlineData("unlink", 2)]
    public void Quantize_Killed_EndsInTheSameBytesWithTheOptionOrWithout(string call, int when)
    {
        new SampleCheckpoint(1, 64, 300).Write(_folder["source"]);
        ToolRun.Succeed(Quantize(_folder["with"]));
        ToolRun.Succeed([.. Quantize(_folder["without"]), Option]);
        foreach ((string first, string second) in (ReadOnlySpan<(string, string)>)[(Option, Option), (Option, ""), ("", Option)])
        {
            Directory.CreateDirectory(_folder["place"]);
            ToolRun killed = Traced([call, $"{call}:signal=SIGKILL:when={when}"], [.. Quantize(Output), .. Words(first)]);
            Assert.Equal((ExitCode)137, killed.Exit);
            bool committed = Directory.Exists(Output);

            ToolRun again = ToolRun.Of([.. Quantize(Output), .. Words(second)]);

            // Killed while it tidied up, after the rename: what is there is refused by its reason, or is whole.
            bool isRefused = committed && first == Option;
            if (isRefused) Refusal.AssertIs(again, ExitCode.OutputRefused, "OUTPUT-EXISTS");
            else Assert.True(again.Exit == ExitCode.Done, $"{again.Exit}: {again.Error}");
            Assert.Equal(OutputFolder.FingerprintOfModel(_folder["with"]), OutputFolder.FingerprintOfModel(Output));
            if (second.Length == 0 && !committed) Assert.Equal(OutputFolder.Fingerprint(_folder["with"]), OutputFolder.Fingerprint(Output));
            if (first == Option && (second == Option || committed)) Assert.Equal(OutputFolder.Fingerprint(_folder["without"]), OutputFolder.Fingerprint(Output));
            Assert.Equal([Output], Directory.EnumerateFileSystemEntries(_folder["place"]));
            Directory.Delete(_folder["place"], recursive: true);
        }
    }

    /// <summary>Every weight file is finished when the last rename fails; none is kept, since none could be used.</summary>
    [Fact]
    public void Quantize_FailsAtTheEnd_KeepsNothing()
    {
        new SampleCheckpoint(1, 64, 300).Write(_folder["source"]);

        ToolRun run = Traced(["renameat2", "renameat2:error=EIO"], [.. Quantize(Output), Option]);

        Refusal.AssertIs(run, ExitCode.IoError, "IO");
        Assert.EndsWith("\nnothing was written\n", run.Error, StringComparison.Ordinal);
        Refusal.AssertNothingWritten(Output);
    }

    private static string[] Words(string option) => option.Length == 0 ? [] : [option];

    private string[] Quantize(string output) =>
        ["quantize", _folder["source"], "--output", output, "--threads", "1", "--max-shard-size", "20kB"];

    private ToolRun Traced(string[] fault, string[] command) => ToolProcess.Traced(Log, ["-e", "trace=" + fault[0], "-e", "inject=" + fault[1]], command);

    /// <summary>What pread64 gave of files that are being written under their temp names.</summary>
    private long BytesRead(string[] command)
    {
        ToolRun run = ToolProcess.Traced(Log, ["-y", "-e", "trace=pread64"], command);
        Assert.True(run.Exit == ExitCode.Done, run.Error);
        // A call that another thread's call cut in two has its result, and no path, in the second half.
        var unfinished = new HashSet<string>(StringComparer.Ordinal);
        long bytes = 0;
        foreach (string line in File.ReadLines(Log))
        {
            string thread = line.Split(' ')[0];
            bool isOfTemp = line.Contains("/.t-", StringComparison.Ordinal) && line.Contains(" pread64(", StringComparison.Ordinal);
            if (isOfTemp && line.EndsWith("<unfinished ...>", StringComparison.Ordinal)) _ = unfinished.Add(thread);
            else if (isOfTemp || (line.Contains("pread64 resumed", StringComparison.Ordinal) && unfinished.Remove(thread)))
                bytes += long.Parse(Regex.Match(line, @"= (\d+)$").Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        }

        return bytes;
    }
}
