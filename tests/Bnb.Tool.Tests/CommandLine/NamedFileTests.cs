using System.CommandLine;
using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.Engine.Text;
using Bnb.TestKit;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

/// <summary>Files that options name: a pipe nobody writes to, a device or a folder is one error, and never waited for.</summary>
public sealed class NamedFileTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TempFolder _folder = new();
    private readonly string _source;
    private readonly string _packed;
    private readonly Lazy<string> _chat;

    public NamedFileTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs named pipes");
        _source = CheckpointBuilder.SingleFile(_folder["source"], [TestTensor.Floats("model.layers.0.mlp.down_proj.weight", "BF16", 64, 64)]);
        _packed = _folder["packed"];
        ToolRun.Succeed("quantize", _source, "--output", _packed);
        _chat = new Lazy<string>(() =>
        {
            SampleCheckpoint.Small.Write(_folder["chat"]);
            return _folder["chat"];
        });
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Every option of every command that takes a file, and the error that each answers with.</summary>
    public static TheoryData<string, string, string> Options => new()
    {
        { "verify", "--policy", "POLICY-FILE" },
        { "verify", "--baseline", "BASELINE-FILE" },
        { "verify", "--activations", "FILE-KIND" },
        { "verify", "--importance", "FILE-KIND" },
        { "verify", "--report", "REPORT-FILE" },
        { "quantize", "--importance", "FILE-KIND" },
        { "quantize", "--config", "RECIPE" },
        { "plan", "--importance", "FILE-KIND" },
        { "plan", "--output", "REPORT-FILE" },
        { "plan", "--plot", "REPORT-FILE" },
        { "init", "--output", "REPORT-FILE" },
        { "lint", "--sarif", "REPORT-FILE" },
        { "evaluate", "--text", "TEXT" },
        { "evaluate", "--ids", "FILE-KIND" },
        { "evaluate", "--save-importance", "REPORT-FILE" },
        { "evaluate", "--report", "REPORT-FILE" },
        { "inspect", "--log-file", "LOG-FILE" },
    };

    [Theory]
    [MemberData(nameof(Options))]
    public async Task Option_WhoseFileIsAPipeOrADevice_IsOneError(string command, string option, string code)
    {
        // Readable ones are taken for what they end in.
        string ending = option == "--save-importance" ? ".safetensors" : ".json";
        foreach (string path in (string[])[HostileFiles.Pipe(_folder[command + option + ending]), "/dev/zero"])
        {
            if (path == "/dev/zero" && option is "--report" or "--save-importance") continue;
            ToolRun run = await Task.Run(() => ToolRun.Of([.. Words(command), option, path])).WaitAsync(Patience, TestContext.Current.CancellationToken);

            Assert.True(run.Exit != ExitCode.Done && run.Exit != ExitCode.InternalError, run.Error);
            Refusal.AssertIs(run, run.Exit, code);
            Assert.Contains("\n  do ", run.Error, StringComparison.Ordinal);
            Refusal.AssertNothingWritten(_folder["out"]);
            // Neither replaced nor written to.
            Assert.True(NamedFile.IsIrregular(path));
        }
    }

    [Theory]
    [InlineData("REPORT-FILE", "verify", "--report")]
    [InlineData("REPORT-FILE", "lint", "--sarif")]
    [InlineData("REPORT-FILE", "plan", "--output")]
    [InlineData("REPORT-FILE", "plan", "--plot")]
    [InlineData("REPORT-FILE", "init", "--output")]
    [InlineData("LOG-FILE", "inspect", "--log-file")]
    public void Option_WhoseFileBelongsToAModel_IsRefusedAndTheModelKept(string code, string command, string option)
    {
        string config = Path.Combine(_packed, "config.json");
        string before = FolderState.Of(_packed);

        ToolRun run = ToolRun.Of([.. Words(command), option, config]);

        Refusal.AssertIs(run, ExitCode.OutputRefused, code);
        Assert.Contains("belongs to a model", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, FolderState.Of(_packed));
    }

    [Fact]
    public void Evaluate_ImportanceOverWeights_IsRefusedAndTheModelKept()
    {
        string weights = Path.Combine(_packed, "model.safetensors");
        string before = FolderState.Of(_packed);

        ToolRun run = ToolRun.Of("evaluate", _chat.Value, "--source", _chat.Value, "--tokens", "8", "--save-importance", weights);

        Refusal.AssertIs(run, ExitCode.OutputRefused, "REPORT-FILE");
        Assert.Equal(before, FolderState.Of(_packed));
    }

    [Theory]
    [InlineData("verify", "--report", "verify.json")]
    [InlineData("verify", "--report", "verify.xml")]
    [InlineData("verify", "--report", "verify.md")]
    [InlineData("verify", "--report", "verify.html")]
    [InlineData("evaluate", "--report", "evaluate.json")]
    [InlineData("evaluate", "--report", "evaluate.xml")]
    [InlineData("evaluate", "--report", "evaluate.html")]
    [InlineData("lint", "--sarif", "lint.sarif")]
    [InlineData("plan", "--output", "recipe.json")]
    [InlineData("plan", "--plot", "plan.svg")]
    [InlineData("inspect", "--log-file", "run.log")]
    public void Option_WhoseFileAnEarlierRunWroteBesideTheModel_IsReplaced(string command, string option, string name)
    {
        string path = Path.Combine(_packed, name);
        ToolRun.Succeed([.. Words(command), option, path]);

        ToolRun.Succeed([.. Words(command), option, path]);

        Assert.Equal(["bnb-manifest.json", "config.json", "model.safetensors", name], Directory.EnumerateFiles(_packed).Select(Path.GetFileName).Order(StringComparer.Ordinal).OrderBy(file => file == name));
    }

    [Fact]
    public void Options_ThatTakeAFile_AreAllTested()
    {
        var terminal = new FakeTerminal();
        using var signals = new SignalCancellation(listen: false);
        RootCommand root = Application.CreateRoot(new CommandHost(terminal, signals), terminal);

        // --log-file is every command's; one is enough.
        List<string> taken =
        [
            .. root.Subcommands.SelectMany(command => command.Options.Where(option => option.HelpName == "FILE" && option.Name != "--log-file").Select(option => $"{command.Name} {option.Name}")),
            "inspect --log-file",
        ];

        Assert.Equal(taken.Order(StringComparer.Ordinal), Options.Select(row => $"{row.Data.Item1} {row.Data.Item2}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void TryRead_WhatCannotBeHad_SaysWhy()
    {
        Assert.Equal([1, 2], NamedFile.TryRead(_folder.Write("small", [1, 2]), 2, out _));
        foreach ((string path, string word) in ((string, string)[])
            [(_folder["none"], "no such file"), (_folder.Path, "folder"), ("/dev/zero", "no regular file"), (_folder.Write("long", [1, 2, 3]), "too long")])
        {
            Assert.Null(NamedFile.TryRead(path, 2, out string wrong));
            Assert.Contains(word, wrong, StringComparison.Ordinal);
        }
    }

    private string[] Words(string command) => command switch
    {
        "quantize" => ["quantize", _source, "--output", _folder["out"], "--scale", "search"],
        "plan" => ["plan", _source, "--target-bits", "9", "--scale", "search"],
        "init" => ["init", _source],
        "lint" or "inspect" => [command, _packed],
        "evaluate" => ["evaluate", _chat.Value, "--source", _chat.Value, "--tokens", "8"],
        _ => [command, _packed, "--source", _source],
    };
}
