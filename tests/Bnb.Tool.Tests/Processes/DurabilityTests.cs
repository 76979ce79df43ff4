using System.Text.RegularExpressions;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary>
/// What would survive a power failure, worked out from the system calls of a run: bytes count once their file was synced, a rename once
/// its folder was. Nothing may have a final name, or be named by a journal, before it would survive.
/// </summary>
public sealed partial class DurabilityTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly HashSet<string> _unsyncedFiles = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _unsyncedNames = new(StringComparer.Ordinal);
    private readonly HashSet<string> _durableShards = new(StringComparer.Ordinal);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData]
    [InlineData("--worker", "1/1")]
    public void Quantize_OrderOfCalls_NamesNothingThatWouldNotSurvive(params string[] options)
    {
        ToolProcess.SkipWithout("strace");
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        new SampleCheckpoint(1, 64, 300).Write(_folder["source"]);
        string output = _folder["out"], staging = StagingNames.FolderFor(OutputPlace.Of(output));

        ToolRun run = ToolProcess.Traced(
            _folder["strace.log"],
            ["-y", "-s", "4096", "-e", "trace=pwrite64,ftruncate,fallocate,fsync,rename,renameat2,unlink"],
            ["quantize", _folder["source"], "--output", output, "--threads", "1", "--max-shard-size", "20kB", .. options]);

        Assert.True(run.Exit == ExitCode.Done, run.Error);
        int shards = Directory.GetFiles(output, "*.safetensors").Length;
        Assert.InRange(shards, 3, 100);
        bool committed = false, parentSynced = false;
        foreach (string call in WholeCalls(File.ReadLines(_folder["strace.log"])))
        {
            if (Write().Match(call) is { Success: true } write)
            {
                // A journal may only say what would survive.
                if (Entry().Match(call) is { Success: true } entry) Assert.Contains(entry.Groups[1].Value, _durableShards);
                if (write.Groups[1].Value.StartsWith(staging, StringComparison.Ordinal)) _unsyncedFiles.Add(write.Groups[1].Value);
            }
            else if (Sync().Match(call) is { Success: true } sync)
            {
                string path = sync.Groups[1].Value;
                _unsyncedFiles.Remove(path);
                if (_unsyncedNames.Remove(path, out HashSet<string>? names)) _durableShards.UnionWith(names);
                parentSynced |= committed && path == _folder.Path;
            }
            else if (Rename().Match(call) is { Success: true } rename)
            {
                (string from, string to) = (rename.Groups[1].Value, rename.Groups[2].Value);
                if (to == output)
                {
                    Assert.Empty(_unsyncedFiles);
                    Assert.Empty(_unsyncedNames);
                    Assert.Equal(shards, _durableShards.Count(name => name.EndsWith(".safetensors", StringComparison.Ordinal)));
                    committed = true;
                    continue;
                }

                Assert.DoesNotContain(from, _unsyncedFiles);
                string folder = Path.GetDirectoryName(to)!;
                if (!_unsyncedNames.TryGetValue(folder, out HashSet<string>? names)) _unsyncedNames[folder] = names = [];
                names.Add(Path.GetFileName(to));
            }
            else if (Unlink().Match(call) is { Success: true } gone && !committed)
            {
                _unsyncedFiles.Remove(gone.Groups[1].Value);
            }
            else if (committed && call.Contains(StagingNames.Plan, StringComparison.Ordinal))
            {
                Assert.True(parentSynced, "the plan was deleted before the output's name would survive");
            }
        }

        Assert.True(committed && parentSynced);
    }

    /// <summary>Calls that succeeded, in the order in which they began; those that another thread cut in two are put together.</summary>
    private static IEnumerable<string> WholeCalls(IEnumerable<string> lines)
    {
        var begun = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string line in lines)
        {
            string thread = line.Split(' ')[0], call = line[thread.Length..].TrimStart();
            if (call.Contains(" <unfinished ...>", StringComparison.Ordinal))
            {
                begun[thread] = call[..call.IndexOf(" <unfinished ...>", StringComparison.Ordinal)];
                continue;
            }

            if (call.StartsWith("<... ", StringComparison.Ordinal))
            {
                if (!begun.Remove(thread, out string? beginning)) continue;
                call = beginning + call[(call.IndexOf("resumed>", StringComparison.Ordinal) + "resumed>".Length)..];
            }

            if (!call.Contains("= -1 ", StringComparison.Ordinal)) yield return call;
        }
    }

    [GeneratedRegex(@"^(?:pwrite64|ftruncate|fallocate)\(\d+<([^>]+)>")]
    private static partial Regex Write();

    [GeneratedRegex(@"^fsync\(\d+<([^>]+)>")]
    private static partial Regex Sync();

    [GeneratedRegex("""^rename(?:at2)?\((?:AT_FDCWD[^,]*, )?"([^"]+)", (?:AT_FDCWD[^,]*, )?"([^"]+)""")]
    private static partial Regex Rename();

    [GeneratedRegex("""^unlink\("([^"]+)""")]
    private static partial Regex Unlink();

    [GeneratedRegex("""\\"type\\":\\"shard\\",\\"name\\":\\"([^"\\]+)\\""")]
    private static partial Regex Entry();
}
