using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary>The folder beside the output in which it is built: ours to clean up, anybody else's to leave alone.</summary>
public sealed class StagingTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;

    public StagingTests()
    {
        _source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats("model.layers.0.mlp.down_proj.weight", "BF16", 64, 64)]);
    }

    private string Output => _folder["out"];

    private string Staging => StagingNames.FolderFor(OutputPlace.Of(Output));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Quantize_LeftoverOfAKilledRun_IsNoPartOfTheOutput()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["fresh"]);
        LeaveBehind();

        ToolRun.Succeed("quantize", _source, "--output", Output);

        Assert.False(Path.Exists(Staging));
        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(Output));
    }

    [Fact]
    public void Quantize_EmptyStagingFolder_IsTakenOver()
    {
        Directory.CreateDirectory(Staging);

        ToolRun.Succeed("quantize", _source, "--output", Output);

        Assert.False(Path.Exists(Staging));
    }

    [Theory]
    [InlineData("holiday.jpg")]
    [InlineData("journal.jsonl")]
    [InlineData(".t-0-17")]
    public void Quantize_StagingFolderOfSomebodyElse_IsRefusedAndKept(string file)
    {
        Directory.CreateDirectory(Staging);
        File.WriteAllText(Path.Combine(Staging, file), "mine");
        string before = FolderState.Of(_folder.Path);

        ToolRun run = ToolRun.Of("quantize", _source, "--output", Output);

        Refusal.AssertIs(run, ExitCode.CannotResume, "STAGING-FOREIGN");
        Assert.Equal(before, FolderState.Of(_folder.Path));
    }

    [Fact]
    public void Quantize_StagingPathThatIsAFileOrALink_IsRefusedAndKept()
    {
        File.WriteAllText(Staging, "mine");
        Refusal.AssertIs(ToolRun.Of("quantize", _source, "--output", Output), ExitCode.CannotResume, "STAGING-FOREIGN");
        Assert.Equal("mine", File.ReadAllText(Staging));

        File.Delete(Staging);
        Directory.CreateDirectory(_folder["elsewhere"]);
        Directory.CreateSymbolicLink(Staging, _folder["elsewhere"]);
        string before = FolderState.Of(_folder.Path);
        Refusal.AssertIs(ToolRun.Of("quantize", _source, "--output", Output), ExitCode.CannotResume, "STAGING-FOREIGN");
        Assert.Equal(before, FolderState.Of(_folder.Path));
    }

    [Fact]
    public void Quantize_StagingFolderInUse_IsLocked()
    {
        using StagingFolder other = OpenStaging.Of(_source, Output);
        string before = FolderState.Of(_folder.Path);

        ToolRun run = ToolRun.Of("quantize", _source, "--output", Output);

        Refusal.AssertIs(run, ExitCode.Locked, "LOCKED");
        Assert.Equal(before, FolderState.Of(_folder.Path));
    }

    [Fact]
    public void Inspect_StagingFolder_SaysThatItIsUnfinished()
    {
        using StagingFolder other = OpenStaging.Of(_source, Output);

        Refusal.AssertIs(ToolRun.Of("inspect", Staging), ExitCode.InputMalformed, "INCOMPLETE");
        Refusal.AssertIs(ToolRun.Of("inspect", Staging + "/"), ExitCode.InputMalformed, "INCOMPLETE");
    }

    [Fact]
    public void AnyCommand_StagingFolder_IsNotTakenForACheckpoint()
    {
        using StagingFolder other = OpenStaging.Of(_source, Output);
        // As after the first shards: everything that a checkpoint needs.
        foreach (string file in Directory.GetFiles(_source)) File.Copy(file, Path.Combine(Staging, Path.GetFileName(file)));

        foreach (string[] command in (string[][])
        [
            ["quantize", Staging, "--output", Output + "2"],
            ["dequantize", Staging, "--output", Output + "2"],
            ["verify", Staging, "--source", _source],
            ["verify", _source, "--source", Staging],
            ["diff", Staging, _source],
            ["diff", _source, Staging],
            ["lint", Staging],
            ["explain", Staging],
            ["plan", Staging, "--max-error", "0.08"],
            ["inspect", Staging],
            ["init", Staging, "--output", Output + ".json"],
            ["verify", Staging, "--manifest"],
            ["evaluate", Staging, "--source", _source],
            ["evaluate", _source, "--source", Staging],
        ])
            Refusal.AssertIs(ToolRun.Of(command), ExitCode.InputMalformed, "INCOMPLETE");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AnyCommand_StagingFolderByAnotherName_IsNotTakenForACheckpoint(bool isLink)
    {
        using StagingFolder other = OpenStaging.Of(_source, Output);
        foreach (string file in Directory.GetFiles(_source)) File.Copy(file, Path.Combine(Staging, Path.GetFileName(file)));
        string name = _folder["renamed"];
        if (isLink) Directory.CreateSymbolicLink(name, Staging);
        else Directory.Move(Staging, name);

        foreach (string path in (string[])[name, Directory.GetFiles(name, "*.safetensors").Order(StringComparer.Ordinal).First()])
            Refusal.AssertIs(ToolRun.Of("inspect", path), ExitCode.InputMalformed, "INCOMPLETE");
        Refusal.AssertIs(ToolRun.Of("dequantize", name, "--output", Output + "2"), ExitCode.InputMalformed, "INCOMPLETE");
        Refusal.AssertIs(ToolRun.Of("verify", name, "--manifest"), ExitCode.InputMalformed, "INCOMPLETE");
    }

    [Theory]
    [InlineData("quantize")]
    [InlineData("quantize", "--overwrite")]
    [InlineData("quantize", "--restart")]
    public void Quantize_IntoTheStagingFolderOfAnother_IsRefusedAndTakesNothingOfIt(string command, params string[] options)
    {
        using StagingFolder other = OpenStaging.Of(_source, Output);
        string before = FolderState.Of(Staging);

        Refusal.AssertIs(ToolRun.Of([command, _source, "--output", Staging, .. options]), ExitCode.OutputRefused, "OUTPUT-NAME");

        Assert.Equal(before, FolderState.Of(Staging));
    }

    [Fact]
    public void Quantize_SideFileNamedLikeAJournal_IsCopied()
    {
        File.WriteAllText(Path.Combine(_source, "journal.jsonl"), "{}\n");

        ToolRun.Succeed("quantize", _source, "--output", Output);

        Assert.Equal("{}\n", File.ReadAllText(Path.Combine(Output, "journal.jsonl")));
    }

    [Fact]
    public void Commit_OutputThatAppearedMeanwhile_IsKept()
    {
        using (StagingFolder staging = OpenStaging.Of(_source, Output))
        {
            _ = _folder.Write("out/theirs", [1]);

            UserErrorException error = Assert.Throws<UserErrorException>(staging.Commit);

            Assert.Equal((ExitCode.OutputRefused, "OUTPUT-EXISTS"), (error.Exit, error.Code));
        }

        Assert.Equal([_folder["out", "theirs"]], Directory.EnumerateFileSystemEntries(Output));
        Assert.False(Path.Exists(Staging));
    }

    /// <summary>What SIGKILL leaves: a journal, temp files, a subfolder, a weight file that the journal does not name.</summary>
    private void LeaveBehind()
    {
        string copy = _folder["copy"];
        using (StagingFolder staging = OpenStaging.Of(_source, Output))
        {
            File.WriteAllText(Path.Combine(staging.Path, "model.safetensors"), "half");
            File.WriteAllText(staging.TempPath(1), "half");
            File.WriteAllText(staging.ScratchPath(1), "half");
            Directory.CreateDirectory(Path.Combine(staging.Path, "1_Pooling"));
            OpenStaging.CopyTree(staging.Path, copy);
        }

        Directory.Move(copy, Staging);
    }
}
