using System.Text.Json;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary>The same command again after a run that did not end: what is finished and sound stays, the rest is made anew.</summary>
public sealed class ResumeTests : IDisposable
{
    private static readonly string[] Options = ["--max-shard-size", "20kB"];

    private readonly TempFolder _folder = new();
    private readonly string _source;
    private readonly string _fresh;

    public ResumeTests()
    {
        _source = _folder["source"];
        new SampleCheckpoint(1, 64, 300).Write(_source);
        File.WriteAllText(Path.Combine(_source, "tokenizer.json"), "{}");
        ToolRun.Succeed(["quantize", _source, "--output", _folder["fresh"], .. Options]);
        _fresh = OutputFolder.Fingerprint(_folder["fresh"]);
        // All that is finished, and nothing committed: what two of three workers and the third one's death leave.
        ToolRun.Succeed(["quantize", _source, "--output", Output, "--worker", "1/3", .. Options]);
        ToolRun.Succeed(["quantize", _source, "--output", Output, "--worker", "2/3", .. Options]);
    }

    private string Output => _folder["out"];

    private string Staging => StagingNames.FolderFor(OutputPlace.Of(Output));

    private string[] StagedShards => [.. Directory.GetFiles(Staging, "*.safetensors").Order(StringComparer.Ordinal)];

    private string[] Journals => [.. Directory.GetFiles(Staging, ".bnb-journal*").Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_AfterAnInterruption_ReusesWhatIsFinished()
    {
        int finished = StagedShards.Length;
        Assert.InRange(finished, 2, 100);

        Assert.Equal(finished, Reused(Resume("--json")));

        AssertSameAsFresh();
    }

    [Fact]
    public void Quantize_DamagedFinishedFile_IsMadeAgain()
    {
        int finished = StagedShards.Length;
        string damaged = StagedShards[0];
        FlipLastBit(damaged);
        File.Delete(StagedShards[^1]);

        ToolRun run = Resume("--json");

        Assert.Equal(finished - 2, Reused(run));
        Assert.Contains(Path.GetFileName(damaged), run.Error, StringComparison.Ordinal);
        AssertSameAsFresh();
    }

    [Fact]
    public void Quantize_JournalCutAnywhere_StillEndsInTheSameBytes()
    {
        string before = _folder["before"];
        OpenStaging.CopyTree(Staging, before);
        int length = (int)new FileInfo(Journals[0]).Length;
        for (int cut = 0; cut <= length; cut += 37)
        {
            Directory.Delete(Staging, recursive: true);
            if (Directory.Exists(Output)) Directory.Delete(Output, recursive: true);
            OpenStaging.CopyTree(before, Staging);
            using (FileStream journal = File.OpenWrite(Journals[0])) journal.SetLength(cut);

            _ = Resume();

            AssertSameAsFresh();
            Directory.CreateDirectory(Staging);
        }

        Directory.Delete(Staging);
    }

    [Fact]
    public void Quantize_JournalLineThatDoesNotFitItsChecksum_CountsForNothingWithAllAfterIt()
    {
        string[] lines = File.ReadAllLines(Journals[0]);
        Assert.InRange(lines.Length, 2, 100);
        lines[1] = lines[1].Replace("\"bytes\":", "\"bytes\": ", StringComparison.Ordinal);
        File.WriteAllText(Journals[0], string.Join('\n', lines) + "\n");
        int others = File.ReadAllLines(Journals[1]).Length - 1;

        Assert.Equal(others, Reused(Resume("--json")));

        AssertSameAsFresh();
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("{\"type\":\"begin\",\"journal\":1}\n")]
    [InlineData("")]
    public void Quantize_JournalsThatAreNotOurs_AreRefusedAndKept(string text)
    {
        foreach (string journal in Journals) File.WriteAllText(journal, text.Length == 0 ? new string('\0', 100) : text);
        string before = FolderState.Of(_folder.Path);

        Refusal.AssertIs(Again(), ExitCode.CannotResume, "STAGING-PLAN");

        Assert.Equal(before, FolderState.Of(_folder.Path));
        ToolRun.Succeed(["quantize", _source, "--output", Output, "--restart", .. Options]);
        AssertSameAsFresh();
    }

    [Theory]
    [InlineData("--type", "fp4", "type")]
    [InlineData("--block-size", "128", "block-size")]
    [InlineData("--exclude", "*q_proj*", "patterns")]
    [InlineData("--max-shard-size", "90kB", "max-shard-size")]
    [InlineData("--hash-source", null, "hash-source")]
    public void Quantize_AnotherPlan_IsRefusedWithWhatDiffers(string option, string? value, string differs)
    {
        string before = FolderState.Of(_folder.Path);

        ToolRun run = ToolRun.Of(["quantize", _source, "--output", Output, .. option == "--max-shard-size" ? [] : Options, option, .. value is null ? [] : (string[])[value]]);

        Refusal.AssertIs(run, ExitCode.CannotResume, "STAGING-PLAN");
        Assert.Matches($@"\n  {differs} +\S.* then, \S.* now\n", run.Error);
        Assert.DoesNotContain("\\x0a", run.Error, StringComparison.Ordinal);
        Assert.Contains("--restart", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, FolderState.Of(_folder.Path));
    }

    [Fact]
    public void Quantize_SourceWrittenMeanwhile_IsRefused()
    {
        FlipLastBit(Directory.GetFiles(_source, "*.safetensors")[0]);

        Refusal.AssertIs(Again(), ExitCode.CannotResume, "STAGING-PLAN");

        Assert.NotEmpty(StagedShards);
    }

    [Fact]
    public void Quantize_SideFileWrittenMeanwhile_IsRefusedByName()
    {
        File.WriteAllText(Path.Combine(_source, "tokenizer.json"), "[]");

        ToolRun run = Again();

        Refusal.AssertIs(run, ExitCode.CannotResume, "STAGING-PLAN");
        Assert.Contains("tokenizer.json differs", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_Restart_ReusesNothing()
    {
        ToolRun run = ToolRun.Succeed(["quantize", _source, "--output", Output, "--restart", "--json", .. Options]);

        Assert.Equal(0, Reused(run));
        AssertSameAsFresh();
    }

    [Theory]
    [InlineData("notes.txt")]
    [InlineData("sub/notes.txt")]
    public void Quantize_ForeignFileInTheStagingFolder_IsRefusedAndKept(string name)
    {
        string mine = Path.Combine(Staging, name);
        Directory.CreateDirectory(Path.GetDirectoryName(mine)!);
        File.WriteAllText(mine, "mine");

        Refusal.AssertIs(Again(), ExitCode.CannotResume, "STAGING-FOREIGN");
        Refusal.AssertIs(ToolRun.Of(["quantize", _source, "--output", Output, "--restart", .. Options]), ExitCode.CannotResume, "STAGING-FOREIGN");

        Assert.Equal("mine", File.ReadAllText(mine));
        Assert.NotEmpty(StagedShards);
    }

    [Fact]
    public void Quantize_TempFilesOfADeadProcess_AreRemoved()
    {
        File.WriteAllText(Path.Combine(Staging, StagingNames.NewTemp('t', 3)), "half");

        _ = Resume();

        AssertSameAsFresh();
    }

    [Fact]
    public void Quantize_JournalWithoutItsFiles_MakesThem()
    {
        foreach (string shard in StagedShards) File.Delete(shard);

        Assert.Equal(0, Reused(Resume("--json")));

        AssertSameAsFresh();
    }

    [Fact]
    public void Quantize_FinishedOutputOfTheSamePlan_HasNothingToDo()
    {
        _ = Resume();
        string before = FolderState.Of(_folder.Path);

        ToolRun run = Resume();
        ToolRun json = Resume("--json");

        Assert.StartsWith("nothing to do", run.Out, StringComparison.Ordinal);
        JsonElement line = JsonResult.Of(json);
        Assert.True(line.GetProperty("nothing_to_do").GetBoolean());
        Assert.Equal(line.GetProperty("files").GetArrayLength(), line.GetProperty("files_reused").GetInt32());
        Assert.Equal(before, FolderState.Of(_folder.Path));
    }

    [Fact]
    public void Quantize_FinishedOutputOfAnotherPlanOrDamaged_IsRefused()
    {
        _ = Resume();

        Refusal.AssertIs(ToolRun.Of("quantize", _source, "--output", Output, "--type", "fp4"), ExitCode.OutputRefused, "OUTPUT-EXISTS");
        File.AppendAllText(Path.Combine(Output, "tokenizer.json"), " ");
        Refusal.AssertIs(Again(), ExitCode.OutputRefused, "OUTPUT-EXISTS");
    }

    [Fact]
    public void Quantize_FinishedOutputWithOneBitChanged_IsNamedAndMadeAgainOnRequest()
    {
        _ = Resume();
        string before = OutputFolder.Fingerprint(Output), damaged = Directory.GetFiles(Output, "*.safetensors").Order(StringComparer.Ordinal).Last();
        FlipLastBit(damaged);

        ToolRun run = Again();

        Refusal.AssertIs(run, ExitCode.OutputRefused, "OUTPUT-EXISTS");
        Assert.Contains(Path.GetFileName(damaged), run.Error, StringComparison.Ordinal);
        Assert.Contains("--overwrite", run.Error, StringComparison.Ordinal);
        _ = Resume("--overwrite");
        Assert.Equal(before, OutputFolder.Fingerprint(Output));
    }

    [Fact]
    public void Quantize_FinishedOutputOlderThanTheSource_IsRefused()
    {
        _ = Resume();
        FlipLastBit(Directory.GetFiles(_source, "*.safetensors")[0]);

        Refusal.AssertIs(Again(), ExitCode.OutputRefused, "OUTPUT-EXISTS");
    }

    [Fact]
    public void Dequantize_AgainOrWithOtherOptions_SaysSo()
    {
        ToolRun.Succeed("dequantize", _folder["fresh"], "--output", _folder["back"]);

        ToolRun again = ToolRun.Succeed("dequantize", _folder["fresh"], "--output", _folder["back"]);

        Assert.StartsWith("nothing to do", again.Out, StringComparison.Ordinal);
        string shard = Directory.GetFiles(_folder["back"], "*.safetensors")[0];
        FlipLastBit(shard);
        Refusal.AssertIs(ToolRun.Of("dequantize", _folder["fresh"], "--output", _folder["back"]), ExitCode.OutputRefused, "OUTPUT-EXISTS");
        FlipLastBit(shard);
        Refusal.AssertIs(ToolRun.Of("dequantize", _folder["fresh"], "--output", _folder["back"], "--dtype", "float32"), ExitCode.OutputRefused, "OUTPUT-EXISTS");
        Assert.Equal("dequantize", JsonElement.Parse(File.ReadAllBytes(_folder["back", OutputManifest.FileName])).GetProperty("command").GetString());
    }

    private static int Reused(ToolRun run) => JsonResult.Of(run).GetProperty("files_reused").GetInt32();

    private static void FlipLastBit(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private ToolRun Again() => ToolRun.Of(["quantize", _source, "--output", Output, .. Options]);

    private ToolRun Resume(params string[] options) => ToolRun.Succeed(["quantize", _source, "--output", Output, .. Options, .. options]);

    private void AssertSameAsFresh()
    {
        Assert.Equal(_fresh, OutputFolder.Fingerprint(Output));
        Assert.False(Path.Exists(Staging));
    }
}
