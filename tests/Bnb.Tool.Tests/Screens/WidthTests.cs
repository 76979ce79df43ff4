using Bnb.Engine.Errors;
using Bnb.Engine.Sampling;
using Bnb.TestKit;
using Bnb.Tool.Tests.Processes;
using Xunit;

namespace Bnb.Tool.Tests.Screens;

/// <summary>Every screen at three widths: nothing longer than the screen, no row folded, names with both of their ends.</summary>
public sealed class WidthTests : IClassFixture<WidthTests.Models>
{
    private static readonly string[] Sentences = ["lint", "lint-bad", "explain", "manifest"];

    private readonly Models _models;

    public WidthTests(Models models) => _models = models;

    public static TheoryData<int, string> Screens
    {
        get
        {
            var data = new TheoryData<int, string>();
            foreach (int width in (int[])[60, 80, 200])
            {
                foreach (string screen in (string[])["quantize", "dry-run", "int4", "inspect", "verify", "damaged", "dequantize", "diff", "diff-codes", "devices", "codes", "lint", "lint-bad", "explain", "evaluate", "plan", "init", "finish", "manifest", "fits", "help", "help-verify"])
                    data.Add(width, screen);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Screens))]
    public void Screen_AtWidth_FitsAndKeepsEveryRow(int width, string screen)
    {
        using var temp = new TempFolder();
        IReadOnlyList<string> args = _models.Arguments(screen, temp["out"]);

        ToolRun run = ToolRun.At(width, args);
        ToolRun wide = ToolRun.At(2000, _models.Arguments(screen, temp["out-2"]));

        Assert.True(run.Exit is ExitCode.Done or ExitCode.Differs or ExitCode.VerificationFailed, run.Error);
        // A path or a command in a sentence is never broken, for it could not be copied then.
        Assert.All(run.Out.Split('\n'), line => Assert.True(line.Length <= width || Unbreakable(line, width), line));
        Assert.All(run.Error.Split('\n'), line => Assert.True(line.Length <= width || Unbreakable(line, width), line));
        // Help folds its left column, which is not a table of ours; sentences are broken, but lose no word.
        if (Sentences.Contains(screen)) Assert.Equal(Words(wide), Words(run));
        else if (!screen.StartsWith("help", StringComparison.Ordinal)) Assert.Equal(Rows(wide), Rows(run));
    }

    [Theory]
    [InlineData(60)]
    [InlineData(80)]
    public void Inspect_NarrowScreen_CutsNamesInTheMiddle(int width)
    {
        ToolRun run = ToolRun.At(width, "inspect", _models.Quantized);

        Assert.Contains("model.laye", run.Out, StringComparison.Ordinal);
        Assert.Contains("down_proj.weight", run.Out, StringComparison.Ordinal);
        Assert.Contains('…', run.Out);
    }

    [Fact]
    public void Inspect_WideScreen_CutsNothing() => Assert.DoesNotContain('…', ToolRun.At(200, "inspect", _models.Quantized).Out);

    [Fact]
    public void Warning_NarrowScreen_BreaksAtWords()
    {
        ToolRun run = ToolRun.At(60, "quantize", _models.Source, "--dry-run", "--block-size", "128");

        string[] lines = [.. run.Error.Split('\n').TakeWhile(line => line.Length > 0)];
        Assert.True(lines.Length > 2, run.Error);
        Assert.All(lines.Skip(1), line => Assert.StartsWith("  ", line, StringComparison.Ordinal));
        string joined = string.Join(' ', lines.Select(line => line.Trim()));
        Assert.Contains("they load, but bitsandbytes multiplies them by its fallback", joined, StringComparison.Ordinal);
    }

    [Fact]
    public void Inspect_PlainTerminal_HasNoRules()
    {
        ToolRun run = ToolRun.On(new FakeTerminal(80) { Plain = true }, "inspect", _models.Quantized);

        Assert.DoesNotContain("───", run.Out, StringComparison.Ordinal);
        Assert.Contains("bits per parameter", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Tool_WithoutTerminal_WrapsOnlyForColumns()
    {
        ToolRun unlimited = ToolProcess.In(_models.Folder, [new("COLUMNS", "")], "inspect", "nf4");
        ToolRun narrow = ToolProcess.In(_models.Folder, [new("COLUMNS", "60")], "inspect", "nf4");
        ToolRun dumb = ToolProcess.In(_models.Folder, [new("COLUMNS", "60"), new("TERM", "dumb")], "inspect", "nf4");

        Assert.Contains("model.layers.{0-1}.self_attn.q_proj.weight", unlimited.Out, StringComparison.Ordinal);
        Assert.All(narrow.Out.Split('\n'), line => Assert.InRange(line.Length, 0, 60));
        Assert.DoesNotContain('\u001b', narrow.Out + narrow.Error);
        Assert.DoesNotContain("───", dumb.Out, StringComparison.Ordinal);
    }

    /// <summary>Any width: what a row has too much is cut, and never goes on in the next line.</summary>
    [Theory]
    [InlineData("dry-run")]
    [InlineData("inspect")]
    [InlineData("int4")]
    [InlineData("verify")]
    [InlineData("diff")]
    [InlineData("dequantize")]
    [InlineData("codes")]
    public void Table_OnANarrowScreen_HasAsManyLinesAsRows(string screen)
    {
        foreach (int width in (int[])[30, 42, 50, 57, 60, 61])
        {
            using var temp = new TempFolder();
            Assert.Equal(
                TableLines(ToolRun.At(2000, _models.Arguments(screen, temp["out-2"]))), TableLines(ToolRun.At(width, _models.Arguments(screen, temp["out"]))));
        }
    }

    /// <summary>Lines from below a table's rule to the next empty one.</summary>
    private static int TableLines(ToolRun run) => run.Out.Split('\n').SkipWhile(line => !line.StartsWith('─')).Skip(1).TakeWhile(line => line.Length > 0).Count();

    /// <summary>Lines that begin with a tensor's name, a device or an option.</summary>
    private static int Rows(ToolRun run) => run.Out.Split('\n').Count(line => line.StartsWith("  ", StringComparison.Ordinal) && line.Length > 2 && line[2] != ' ');

    private static string[] Words(ToolRun run) => run.Out.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private static bool Unbreakable(string line, int width) => line.TrimStart().Split(' ').Length <= 2 || line.Contains("dotnet bnb", StringComparison.Ordinal)
        || line.Split(' ').Any(word => word.Length > width / 2);

    /// <summary>Made once: the sample and what the commands make of it.</summary>
    public sealed class Models : IDisposable
    {
        private readonly TempFolder _temp = new();

        public Models()
        {
            SampleCheckpoint.Small.Write(Source);
            ToolRun.Succeed("quantize", Source, "--output", Quantized);
            ToolRun.Succeed("quantize", Source, "--output", Other, "--block-size", "32");
            ToolRun.Succeed("quantize", Source, "--output", _temp["int4"], "--type", "int4");
        }

        public string Folder => _temp.Path;

        public string Source => _temp["llama"];

        public string Quantized => _temp["nf4"];

        private string Other => _temp["b32"];

        public void Dispose() => _temp.Dispose();

        internal IReadOnlyList<string> Arguments(string screen, string output) => screen switch
        {
            "quantize" => ["quantize", Source, "--output", output],
            "dry-run" => ["quantize", Source, "--dry-run", "--type", "fp4"],
            "int4" => ["inspect", _temp["int4"]],
            "inspect" => ["inspect", Source],
            "verify" => ["verify", Quantized, "--source", Source],
            "damaged" => ["verify", Quantized, "--source", Source, "--max-rel-error", "0.01"],
            "dequantize" => ["dequantize", Quantized, "--output", output],
            "diff" => ["diff", Source, Quantized],
            "diff-codes" => ["diff", Quantized, Other],
            "devices" => ["devices"],
            "lint" => ["lint", Quantized],
            "lint-bad" => ["lint", Quantized, "--for", "vllm,diffusers"],
            "explain" => ["explain", Source],
            "evaluate" => ["evaluate", Quantized, "--source", Source, "--tokens", "32", "--context", "32"],
            "plan" => ["plan", Source, "--target-bits", "7"],
            "init" => ["init", Source, "--output", output],
            "finish" => ["finish", Quantized],
            "manifest" => ["verify", Quantized, "--manifest"],
            "fits" => ["quantize", Source, "--dry-run", "--fits", "1GiB"],
            "codes" => ["codes"],
            "help" => ["--help"],
            _ => ["verify", "--help"],
        };
    }
}
