using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Bnb.Tool.Tests.Output;
using Xunit;

namespace Bnb.Tool.Tests.Workers;

/// <summary>Several processes, one output: whoever comes last commits, and the bytes are those of one process.</summary>
public sealed class WorkerTests : IDisposable
{
    private static readonly string[] Options = ["--max-shard-size", "20kB"];

    private readonly TempFolder _folder = new();
    private readonly string _source;

    public WorkerTests()
    {
        _source = _folder["source"];
        new SampleCheckpoint(1, 64, 300).Write(_source);
    }

    private string Output => _folder["out"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("1/1")]
    [InlineData("1/3", "2/3", "3/3")]
    [InlineData("3/3", "1/3", "2/3")]
    [InlineData("2/3", "2/3", "3/3", "1/3")]
    [InlineData("8/8", "6/8", "4/8", "2/8", "1/8", "3/8", "5/8", "7/8")]
    [InlineData("1/2", "2/5", "2/2")]
    public void Quantize_WorkersInAnyOrder_MakeTheSameBytes(params string[] workers)
    {
        ToolRun.Succeed(["quantize", _source, "--output", _folder["fresh"], .. Options]);

        List<bool> committed = [.. workers.Select(worker => JsonResult.Of(Work(worker, "--json")).GetProperty("committed").GetBoolean())];

        // Of more workers than weight files some have no share; they find the commit done.
        Assert.True(committed[^1]);
        Assert.Equal(committed.Order(), committed);
        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(Output));
        Assert.False(Path.Exists(StagingNames.FolderFor(OutputPlace.Of(Output))));
    }

    [Fact]
    public void Quantize_WorkerAfterTheCommit_HasNothingToDo()
    {
        foreach (string worker in (string[])["1/2", "2/2"]) _ = Work(worker);
        string before = FolderState.Of(_folder.Path);

        Assert.StartsWith("nothing to do", Work("1/2").Out, StringComparison.Ordinal);
        Assert.StartsWith("nothing to do", Work("2/2", "--overwrite").Out, StringComparison.Ordinal);

        Assert.Equal(before, FolderState.Of(_folder.Path));
    }

    [Fact]
    public void Finish_MissingShards_AreNamedAndKept()
    {
        _ = Work("1/3");
        string staging = StagingNames.FolderFor(OutputPlace.Of(Output));
        string[] made = Directory.GetFiles(staging, "*.safetensors");

        ToolRun run = ToolRun.Of("finish", Output);

        Refusal.AssertIs(run, ExitCode.CannotResume, "UNFINISHED");
        Assert.Contains("model-0000", run.Error, StringComparison.Ordinal);
        Assert.All(made, path => Assert.DoesNotContain(Path.GetFileName(path), run.Error, StringComparison.Ordinal));
        Assert.Equal(made, Directory.GetFiles(staging, "*.safetensors"));
    }

    [Fact]
    public void Finish_AllMade_CommitsWithoutTheSourceTheBytesOfOneRun()
    {
        ToolRun.Succeed(["quantize", _source, "--output", _folder["fresh"], .. Options]);
        MakeAllButTheCommit();
        Directory.Move(_source, _folder["gone"]);

        ToolRun.Succeed("finish", Output);

        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(Output));
        Assert.StartsWith("nothing to do", ToolRun.Succeed("finish", Output).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Finish_DamagedShard_IsNamed()
    {
        MakeAllButTheCommit();
        string shard = Directory.GetFiles(StagingNames.FolderFor(OutputPlace.Of(Output)), "*.safetensors")[0];
        byte[] bytes = File.ReadAllBytes(shard);
        bytes[^1] ^= 1;
        File.WriteAllBytes(shard, bytes);

        ToolRun run = ToolRun.Of("finish", Output);

        Refusal.AssertIs(run, ExitCode.CannotResume, "UNFINISHED");
        Assert.Contains(Path.GetFileName(shard), run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_LastWorkerAndADamagedShardOfAnother_IsNamedAndMadeAgainByItsOwn()
    {
        ToolRun.Succeed(["quantize", _source, "--output", _folder["fresh"], .. Options]);
        _ = Work("1/3");
        string shard = Directory.GetFiles(StagingNames.FolderFor(OutputPlace.Of(Output)), "*.safetensors")[0];
        byte[] bytes = File.ReadAllBytes(shard);
        bytes[^1] ^= 1;
        _ = Work("2/3");
        File.WriteAllBytes(shard, bytes);

        ToolRun last = ToolRun.Of(["quantize", _source, "--output", Output, "--worker", "3/3", .. Options]);

        Refusal.AssertIs(last, ExitCode.CannotResume, "UNFINISHED");
        Assert.Contains(Path.GetFileName(shard), last.Error, StringComparison.Ordinal);
        Assert.False(Path.Exists(Output));
        Assert.True(JsonResult.Of(Work("1/3", "--json")).GetProperty("committed").GetBoolean());
        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(Output));
    }

    [Fact]
    public void Finish_NothingBegun_IsRefused() => Refusal.AssertIs(ToolRun.Of("finish", Output), ExitCode.CannotResume, "NO-STAGING");

    [Fact]
    public void Quantize_WorkersThatHashTheSource_WriteTheSameManifest()
    {
        ToolRun.Succeed(["quantize", _source, "--output", _folder["fresh"], "--hash-source", .. Options]);
        foreach (string worker in (string[])["2/3", "3/3", "1/3"]) _ = Work(worker, "--hash-source");

        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(Output));
        JsonElement manifest = JsonElement.Parse(File.ReadAllBytes(_folder["out", OutputManifest.FileName]));
        Assert.All(manifest.GetProperty("source").EnumerateArray(), file => Assert.Equal(64, file.GetProperty("sha256").GetString()!.Length));
    }

    [Theory]
    [InlineData("--worker", "0/3")]
    [InlineData("--worker", "4/3")]
    [InlineData("--worker", "3")]
    [InlineData("--worker", "1/3/1")]
    [InlineData("--worker", "-1/3")]
    [InlineData("--worker", "auto")]
    [InlineData("--worker", "1/3", "--restart")]
    [InlineData("--worker", "1/3", "--dry-run")]
    [InlineData("--workers", "3")]
    public void Quantize_WorkerThatMeansNothing_IsAUsageError(params string[] options)
    {
        Refusal.AssertIs(ToolRun.Of(["quantize", _source, "--output", Output, .. options]), ExitCode.Usage, "USAGE");
        Refusal.AssertNothingWritten(Output);
    }

    private ToolRun Work(string worker, params string[] options) =>
        ToolRun.Succeed(["quantize", _source, "--output", Output, "--worker", worker, .. Options, .. options]);

    /// <summary>The state after all workers ended and none committed: another one had the folder open all the while.</summary>
    private void MakeAllButTheCommit()
    {
        string staging = StagingNames.FolderFor(OutputPlace.Of(Output)), copy = _folder["copy"];
        _ = Work("1/2");
        OpenStaging.CopyTree(staging, copy);
        _ = Work("2/2");
        Directory.Delete(Output, recursive: true);
        _ = Work("2/2");
        // Both halves, each with its own journal.
        foreach (string path in Directory.GetFiles(copy).Where(path => !File.Exists(Path.Combine(staging, Path.GetFileName(path)))))
            File.Move(path, Path.Combine(staging, Path.GetFileName(path)));
        Directory.Delete(copy, recursive: true);
    }
}
