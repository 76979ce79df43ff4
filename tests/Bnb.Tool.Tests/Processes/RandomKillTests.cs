using System.Diagnostics;
using System.Globalization;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary>
/// SIGKILL at random times, with nothing injected: one process or several, killed and started again until all is done, always end in
/// the bytes of an undisturbed run. The environment variable BNB_KILLS says how often (default 2, a few seconds).
/// </summary>
public sealed class RandomKillTests : IDisposable
{
    private const int Seed = 20261127;
    private const int MostRounds = 1000;

    private static readonly int Kills =
        int.TryParse(Environment.GetEnvironmentVariable("BNB_KILLS"), CultureInfo.InvariantCulture, out int kills) ? kills : 2;

    private static readonly string[] Options = ["--threads", "1", "--max-shard-size", "40kB"];

    private readonly TempFolder _folder = new();
    private readonly Random _random = new(Seed);
    private readonly string _fresh;

    /// <summary>How long a run takes until it has its staging folder, and as a whole.</summary>
    private TimeSpan _begun, _whole;

    public RandomKillTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs Linux");
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        new SampleCheckpoint(2, 128, 300).Write(_folder["source"]);
        ToolRun.Succeed(["quantize", _folder["source"], "--output", _folder["fresh"], .. Options]);
        _fresh = OutputFolder.Fingerprint(_folder["fresh"]);
        Directory.CreateDirectory(_folder["place"]);
    }

    private string Output => _folder["place", "out"];

    private string Staging => StagingNames.FolderFor(OutputPlace.Of(Output));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void Quantize_KilledAtRandomTimes_EndsInTheSameBytes(int processes)
    {
        (_begun, _whole) = Undisturbed();
        int killed = 0, outputs = 0;
        for (int round = 0; killed < Kills && round < MostRounds; round++)
        {
            killed += Round(processes);
            if (!Directory.Exists(Output)) continue;
            AssertComplete();
            Directory.Delete(Output, recursive: true);
            outputs++;
        }

        // Whatever the kills have left, workers that are left alone finish it.
        Assert.True(killed >= Kills, $"{killed} of {Kills} kills hit, {outputs} outputs were complete");
        for (int worker = 1; worker <= processes; worker++) ToolRun.Succeed(Command(worker, processes));
        Assert.True(Directory.Exists(Output));
        AssertComplete();
        Assert.Equal([Output], Directory.EnumerateFileSystemEntries(_folder["place"]));
        TestContext.Current.TestOutputHelper?.WriteLine($"{killed} kills, {outputs + 1} complete outputs, {processes} processes");
    }

    /// <summary>Starts all workers and kills each at a time of its own, if it is not done by then.</summary>
    /// <returns>How many were killed.</returns>
    private int Round(int processes)
    {
        int finished = Finished();
        var clock = Stopwatch.StartNew();
        List<(Process Process, TimeSpan End)> runs = [.. Enumerable.Range(1, processes).Select(worker => (
            ToolProcess.Begin(Command(worker, processes)),
            // Most of them in the work itself, some while it starts, some after its end. Several share the processors.
            ((_begun * 0.8) + (_random.NextDouble() * ((_whole * 1.1) - (_begun * 0.8)))) * Math.Max(1, processes / Environment.ProcessorCount)))];
        int killed = 0;
        foreach ((Process process, TimeSpan end) in runs.OrderBy(run => run.End))
        {
            TimeSpan left = end - clock.Elapsed;
            if (!process.WaitForExit(left > TimeSpan.Zero ? left : TimeSpan.Zero)) process.Kill();
            ToolRun run = ToolProcess.End(process);
            if ((int)run.Exit == 128 + 9) killed++;
            else Assert.True((int)run.Exit == 0, $"{run.Exit}: {run.Error}");
        }

        // The machine had more to do when the first run was timed: kills would come too late.
        if (processes == 1 && killed == 0 && clock.Elapsed < _whole) (_begun, _whole) = (_begun * (clock.Elapsed / _whole), clock.Elapsed);

        Assert.True(Directory.Exists(Output) || Finished() >= finished, "finished weight files were lost");
        return killed;
    }

    /// <summary>How long a run takes until it has its staging folder, and as a whole.</summary>
    private (TimeSpan Begun, TimeSpan Whole) Undisturbed()
    {
        var clock = Stopwatch.StartNew();
        Process process = ToolProcess.Begin(Command(1, 1));
        SpinWait.SpinUntil(() => process.HasExited || Directory.Exists(Staging));
        TimeSpan begun = clock.Elapsed;
        Assert.Equal(0, (int)ToolProcess.End(process).Exit);
        TimeSpan whole = clock.Elapsed;
        AssertComplete();
        Directory.Delete(Output, recursive: true);
        return (begun, whole);
    }

    private IReadOnlyList<string> Command(int worker, int processes) =>
        ["quantize", _folder["source"], "--output", Output, .. Options, .. processes == 1 ? [] : (string[])["--worker", $"{worker}/{processes}"]];

    private int Finished() => Directory.Exists(Staging) ? Directory.GetFiles(Staging, "*.safetensors").Length : 0;

    /// <summary>An output is whole or not there; what a run keeps about itself may be left when it was killed while tidying up.</summary>
    private void AssertComplete() => Assert.Equal(
        _fresh,
        string.Join('\n', OutputFolder.Fingerprint(Output).Split('\n').Where(line => !line.StartsWith(".bnb-", StringComparison.Ordinal))));
}
