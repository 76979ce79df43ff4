using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Processes;

/// <summary><c>--worker auto</c> in the environment of a scheduler, each worker a process.</summary>
public sealed class SchedulerTests : IDisposable
{
    private static readonly string[] Options = ["--max-shard-size", "20kB"];

    private readonly TempFolder _folder = new();

    public SchedulerTests()
    {
        Assert.SkipUnless(File.Exists(ToolProcess.Executable), $"{ToolProcess.Executable} is not built");
        new SampleCheckpoint(1, 64, 300).Write(_folder["source"]);
        ToolRun.Succeed(["quantize", _folder["source"], "--output", _folder["fresh"], .. Options]);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_SlurmArray_MakesTheBytesOfOneRun() => Run(
        [],
        [["SLURM_ARRAY_TASK_ID=12", "SLURM_ARRAY_TASK_MIN=11", "SLURM_ARRAY_TASK_COUNT=2"], ["SLURM_ARRAY_TASK_ID=11", "SLURM_ARRAY_TASK_MIN=11", "SLURM_ARRAY_TASK_COUNT=2"]]);

    [Fact]
    public void Quantize_KubernetesIndexedJob_MakesTheBytesOfOneRun() =>
        Run(["--workers", "3"], [["JOB_COMPLETION_INDEX=0"], ["JOB_COMPLETION_INDEX=2"], ["JOB_COMPLETION_INDEX=1"]]);

    private void Run(string[] options, string[][] environments)
    {
        List<bool> committed = [];
        foreach (string[] environment in environments)
        {
            ToolRun run = ToolProcess.In(
                _folder.Path, environment.Select(variable => variable.Split('=')).Select(pair => KeyValuePair.Create(pair[0], pair[1])),
                ["quantize", "source", "--output", "out", "--worker", "auto", "--json", .. Options, .. options]);
            Assert.True((int)run.Exit == 0, run.Error);
            committed.Add(JsonResult.Of(run).GetProperty("committed").GetBoolean());
        }

        // Each did its own share, so that the last one and no other found nothing missing.
        Assert.Equal([.. Enumerable.Repeat(false, environments.Length - 1), true], committed);
        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(_folder["out"]));
    }
}
