using System.Net.Sockets;
using Bnb.Engine.Errors;
using Bnb.Engine.Output;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.Output;

/// <summary>Where an output may go and where not; a refusal changes nothing, neither here nor at the source.</summary>
public sealed class OutputPlaceTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _source;

    public OutputPlaceTests()
    {
        _source = CheckpointBuilder.SingleFile(_folder["models", "source"], [TestTensor.Floats("model.layers.0.mlp.down_proj.weight", "BF16", 64, 64)]);
        File.WriteAllText(Path.Combine(_source, "tokenizer.json"), "{}");
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("models/source")]
    [InlineData("models/source/")]
    [InlineData("models/./source")]
    [InlineData("models/source/../source")]
    [InlineData("models/source/nf4")]
    [InlineData("models/source/a/b")]
    [InlineData("models")]
    [InlineData("link")]
    [InlineData("link/nf4")]
    [InlineData("models/tolink/source")]
    public void Quantize_OutputOverInput_IsRefused(string output)
    {
        Directory.CreateSymbolicLink(_folder["link"], _source);
        Directory.CreateSymbolicLink(_folder["models", "tolink"], _folder["models"]);

        AssertRefused([_source], output, ExitCode.OutputRefused, "OUTPUT-IS-INPUT", "--overwrite");
    }

    [Fact]
    public void Quantize_InputThroughALink_IsStillFoundUnderTheOutput()
    {
        Directory.CreateSymbolicLink(_folder["link"], _source);

        AssertRefused([_folder["link"]], "models/source", ExitCode.OutputRefused, "OUTPUT-IS-INPUT", "--overwrite");
        AssertRefused([_folder["link"]], "models/source/x", ExitCode.OutputRefused, "OUTPUT-IS-INPUT", "--overwrite");
        AssertRefused([_folder["link"]], "models", ExitCode.OutputRefused, "OUTPUT-IS-INPUT", "--overwrite");
    }

    [Fact]
    public void Quantize_SingleFileIntoItsOwnFolder_IsRefusedAndBesideItWorks()
    {
        string file = Path.Combine(_source, "model.safetensors");
        AssertRefused([file], "models/source", ExitCode.OutputRefused, "OUTPUT-IS-INPUT", "--overwrite");

        ToolRun.Succeed("quantize", file, "--output", Path.Combine(_source, "nf4"));

        OutputContract.AssertHolds(Path.Combine(_source, "nf4"));
    }

    [Theory]
    [InlineData("file", "an existing file")]
    [InlineData("dangling", "a symbolic link")]
    [InlineData("filelink", "a symbolic link")]
    [InlineData("folderlink", "a symbolic link")]
    [InlineData("socket", "a socket")]
    public void Quantize_OutputThatIsNoFolder_IsRefusedEvenWithOverwrite(string output, string kind)
    {
        File.WriteAllText(_folder["file"], "mine");
        Directory.CreateDirectory(_folder["elsewhere"]);
        File.CreateSymbolicLink(_folder["dangling"], _folder["nowhere"]);
        File.CreateSymbolicLink(_folder["filelink"], _folder["file"]);
        Directory.CreateSymbolicLink(_folder["folderlink"], _folder["elsewhere"]);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(_folder["socket"]));

        AssertRefused([_source], output, ExitCode.OutputRefused, "OUTPUT-EXISTS");
        AssertRefused([_source], output, ExitCode.OutputRefused, "OUTPUT-EXISTS", "--overwrite");
        Assert.Contains($"the output is {kind}\n", ToolRun.Of("quantize", _source, "--output", _folder[output]).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_OutputBelowAFile_IsRefused()
    {
        File.WriteAllText(_folder["file"], "mine");

        AssertRefused([_source], "file/out", ExitCode.OutputRefused, "OUTPUT-PARENT");
    }

    [Fact]
    public void Quantize_NonEmptyOutput_IsRefusedWithWhatItHolds()
    {
        for (int i = 0; i < 7; i++) _ = _folder.Write($"out/file{i}", [1]);

        ToolRun run = AssertRefused([_source], "out", ExitCode.OutputRefused, "OUTPUT-EXISTS");

        Assert.Contains("file0, file1, file2", run.Error, StringComparison.Ordinal);
        Assert.Contains("--overwrite", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_EmptyOutput_IsUsed()
    {
        Directory.CreateDirectory(_folder["out"]);

        ToolRun.Succeed("quantize", _source, "--output", _folder["out"]);

        OutputContract.AssertHolds(_folder["out"]);
    }

    [Fact]
    public void Quantize_OneMissingLevel_IsCreatedAndTwoAreRefused()
    {
        AssertRefused([_source], "a/b/out", ExitCode.OutputRefused, "OUTPUT-PARENT");

        ToolRun.Succeed("quantize", _source, "--output", _folder["a", "out"]);

        Assert.Equal([_folder["a", "out"]], Directory.EnumerateFileSystemEntries(_folder["a"]));
    }

    [Fact]
    public void Quantize_FailureAfterCreatingTheMissingLevel_RemovesItAgain()
    {
        string source = NonFinite();

        AssertRefused([source], "a/out", ExitCode.DataCheckFailed, "DATA-NONFINITE");
    }

    [Fact]
    public void Quantize_LongOutputName_Works()
    {
        string output = _folder[new string('n', 250)];

        ToolRun.Succeed("quantize", _source, "--output", output);

        OutputContract.AssertHolds(output);
        Assert.Equal(2, Directory.EnumerateFileSystemEntries(_folder.Path).Count());
    }

    [Theory]
    [InlineData("n", 256)]
    [InlineData("\u00e9", 128)]
    public void Quantize_OutputNameOverTheLimit_IsRefusedBeforeAnyWork(string letter, int count)
    {
        string output = _folder[string.Concat(Enumerable.Repeat(letter, count))];

        ToolRun run = ToolRun.Of("quantize", NonFinite(), "--output", output);

        // Had it begun, it would have stumbled over the weights.
        Refusal.AssertIs(run, ExitCode.OutputRefused, "OUTPUT-NAME");
        Assert.Contains("256 bytes, at most 255", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.EnumerateFileSystemEntries(_folder.Path, "*.bnb-partial").Any());
    }

    [Fact]
    public void Quantize_Overwrite_ReplacesTheOldOutputAsAWhole()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["fresh"], "--type", "fp4");
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"]);
        _ = _folder.Write("out/old.txt", [1]);
        _ = _folder.Write("out/sub/old.txt", [1]);

        ToolRun.Succeed("quantize", _source, "--output", _folder["out"], "--type", "fp4", "--overwrite");

        Assert.Equal(OutputFolder.Fingerprint(_folder["fresh"]), OutputFolder.Fingerprint(_folder["out"]));
        Assert.False(Path.Exists(StagingNames.FolderFor(OutputPlace.Of(_folder["out"]))));
    }

    [Fact]
    public void Quantize_OverwriteOfAFolderThatIsNoCheckpoint_IsRefused()
    {
        _folder.Write("letters/dear.txt", "irreplaceable"u8);

        Refusal.AssertIs(
            ToolRun.Of("quantize", _source, "--output", _folder["letters"], "--overwrite"), ExitCode.OutputRefused, "OUTPUT-EXISTS");

        Assert.Equal("irreplaceable", File.ReadAllText(_folder["letters", "dear.txt"]));
    }

    [Fact]
    public void Quantize_OverwriteThatFails_LeavesTheOldOutput()
    {
        ToolRun.Succeed("quantize", _source, "--output", _folder["out"]);
        string source = NonFinite();

        ToolRun run = AssertRefused([source], "out", ExitCode.DataCheckFailed, "DATA-NONFINITE", "--overwrite");

        Assert.EndsWith("nothing was written\n", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Quantize_MaximumOfFreeSpace_IsNeededBeforeAnythingIsCreated()
    {
        string sparse = Directory.CreateDirectory(_folder["models", "sparse"]).FullName;
        long bytes = (new DriveInfo(sparse).AvailableFreeSpace * 2) + (1L << 30);
        using (var file = new FileStream(Path.Combine(sparse, "model.safetensors"), FileMode.Create))
        {
            string header = $$$"""{"a":{"dtype":"U8","shape":[{{{bytes}}}],"data_offsets":[0,{{{bytes}}}]}}""";
            file.Write(CheckpointBuilder.Raw(header, []));
            try
            {
                file.SetLength(8 + header.Length + bytes);
            }
            catch (Exception refused) when (refused is IOException or ArgumentException)
            {
                Assert.Skip($"the file system takes no sparse file of {bytes} bytes: {refused.Message}");
            }
        }

        File.WriteAllText(Path.Combine(sparse, "config.json"), "{}");
        ToolRun run = ToolRun.Of("quantize", sparse, "--output", _folder["out"]);

        Refusal.AssertIs(run, ExitCode.NoSpace, "NOSPACE");
        Refusal.AssertNothingWritten(_folder["out"]);
        Assert.Matches(@"\n  need +[\d,]+ bytes\n  free +[\d,]+ bytes\n", run.Error);
    }

    private string NonFinite() => CheckpointBuilder.SingleFile(
        _folder["models", "nan"], [new TestTensor("model.layers.0.mlp.down_proj.weight", "F32", [1, 2], [0, 0, 0xc0, 0x7f, 0, 0, 0, 0])]);

    /// <summary>Runs and expects the whole temp folder to be as it was, times included.</summary>
    private ToolRun AssertRefused(string[] source, string output, ExitCode exit, string code, params string[] options)
    {
        string before = FolderState.Of(_folder.Path);
        ToolRun run = ToolRun.Of(["quantize", .. source, "--output", Path.Combine(_folder.Path, output), .. options]);
        Refusal.AssertIs(run, exit, code);
        Assert.Equal(before, FolderState.Of(_folder.Path));
        return run;
    }
}
