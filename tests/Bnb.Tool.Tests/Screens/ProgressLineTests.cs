using Bnb.Cli.Terminal;
using Bnb.Engine.Events;
using Xunit;

namespace Bnb.Tool.Tests.Screens;

public sealed class ProgressLineTests
{
    private const string Name = "model.language_model.layers.17.mlp.experts.127.down_proj.weight";

    private static readonly ProgressLine Line = new(1_234_567_890, 4_976_698_672, TimeSpan.FromSeconds(12), Name);

    [Fact]
    public void Fit_AnyWidth_IsNeverLonger()
    {
        for (int width = 0; width <= 250; width++)
        {
            foreach (long done in (long[])[0, 1, 2_000_000_000, 4_976_698_672])
                Assert.InRange((Line with { Done = done }).Fit(width).Length, 0, width);
        }
    }

    [Theory]
    [InlineData(60, "━╌╌╌╌╌╌╌   25 %  1.23 GB of 4.98 GB  103 MB/s  0:36 left")]
    [InlineData(80, "━━━╌╌╌╌╌╌╌╌╌╌╌   25 %  1.23 GB of 4.98 GB  103 MB/s  0:36 left  model.l…j.weight")]
    [InlineData(200, "━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌   25 %  1.23 GB of 4.98 GB  103 MB/s  0:36 left  " + Name)]
    public void Fit_ScreensOfThreeWidths_LooksAsShown(int width, string expected) => Assert.Equal(expected, Line.Fit(width));

    [Theory]
    [InlineData(40)]
    [InlineData(20)]
    [InlineData(8)]
    public void Fit_NarrowerStill_KeepsThePercentage(int width) => Assert.Contains("25 %", Line.Fit(width), StringComparison.Ordinal);

    [Fact]
    public void Display_OnAScreen_DrawsOneLineAndLeavesNothing()
    {
        var terminal = new FakeTerminal(60, 60) { ErrorIsInteractive = true };
        var progress = new PipelineProgress(100) { Current = Name };
        progress.Add(40);
        using (ProgressDisplay.Start(terminal, progress))
            Assert.True(SpinWait.SpinUntil(() => terminal.ErrorText.Contains("40 %", StringComparison.Ordinal), TimeSpan.FromSeconds(60)));

        Assert.DoesNotContain('\n', terminal.ErrorText);
        Assert.EndsWith(ProgressDisplay.ClearLine, terminal.ErrorText, StringComparison.Ordinal);
        Assert.All(terminal.ErrorText.Split(ProgressDisplay.ClearLine), frame => Assert.InRange(frame.Length, 0, 59));
    }

    // A terminal wraps what it shows when its window becomes narrower: rows of the old frame would stay above the new one.
    [Theory]
    [InlineData(true, "\r\u001b[2A\u001b[J")]
    [InlineData(false, ProgressDisplay.ClearLine)]
    public void Display_InAWindowThatBecomesNarrower_ClearsWhatTheTerminalWrapped(bool reflows, string expected)
    {
        var terminal = new FakeTerminal(120, 120) { ErrorIsInteractive = true, Reflows = reflows };
        var progress = new PipelineProgress(100) { Current = Name };
        using (ProgressDisplay.Start(terminal, progress))
        {
            Assert.True(SpinWait.SpinUntil(() => terminal.ErrorText.Contains(Name[^8..], StringComparison.Ordinal), TimeSpan.FromSeconds(60)));
            terminal.ErrorWidth = 45;
            int length = terminal.ErrorText.Length;
            Assert.True(SpinWait.SpinUntil(() => terminal.ErrorText.Length > length + 60, TimeSpan.FromSeconds(60)));
        }

        string[] frames = terminal.ErrorText.Split('\r');
        int first = Array.FindIndex(frames, frame => frame.EndsWith(Name[^8..], StringComparison.Ordinal));
        string narrow = "\r" + frames.Skip(first + 1).First(frame => !frame.EndsWith(Name[^8..], StringComparison.Ordinal));
        Assert.StartsWith(expected, narrow, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 80, 0)]
    [InlineData(79, 80, 0)]
    [InlineData(80, 80, 0)]
    [InlineData(81, 80, 1)]
    [InlineData(119, 40, 2)]
    [InlineData(121, 40, 3)]
    public void Clear_OfAFrame_GoesUpAsManyRowsAsItWrapsInto(int drawn, int width, int rows) => Assert.Equal(
        rows == 0 ? ProgressDisplay.ClearLine : $"\r\u001b[{rows}A\u001b[J", ProgressDisplay.Clear(drawn, width));

    [Theory]
    [InlineData("xterm-256color", null, null, true)]
    [InlineData("xterm-256color", "XTerm(379)", null, false)]
    [InlineData("screen-256color", null, null, false)]
    [InlineData("screen-256color", null, "/tmp/tmux-0/default,1,0", true)]
    [InlineData("tmux-256color", "XTerm(379)", "/tmp/tmux-0/default,1,0", true)]
    [InlineData("linux", null, null, false)]
    [InlineData(null, null, null, true)]
    public void IsReflowing_OfTheEnvironment_IsKnownOfThoseThatDoNot(string? term, string? xterm, string? tmux, bool expected) => Assert.Equal(
        expected, SystemTerminal.IsReflowing(name => name switch { "TERM" => term, "XTERM_VERSION" => xterm, "TMUX" => tmux, _ => null }));

    [Theory]
    [InlineData("abcdefghij", 10, "abcdefghij")]
    [InlineData("abcdefghij", 7, "abc…hij")]
    [InlineData("abcdefghij", 6, "ab…hij")]
    [InlineData("abcdefghij", 2, "…j")]
    [InlineData("abcdefghij", 1, "…")]
    [InlineData("abcdefghij", 0, "")]
    [InlineData("ab\U0001F600\U0001F600gh", 5, "ab…gh")]
    public void CutMiddle_TooLong_KeepsBothEnds(string text, int width, string expected) => Assert.Equal(expected, DisplayWidth.CutMiddle(text, width));

    [Theory]
    [InlineData("one two three", 20, "one two three")]
    [InlineData("one two three", 8, "one two\n  three")]
    [InlineData("a-path-that-is-too-long and more", 10, "a-path-that-is-too-long\n  and more")]
    [InlineData("  do   this or that", 12, "  do   this\n  or that")]
    public void Wrap_TooLong_BreaksAtWords(string text, int width, string expected) => Assert.Equal(expected, DisplayWidth.Wrap(text, width, 2));

    [Theory]
    [InlineData("80", 80)]
    [InlineData("1", 20)]
    [InlineData("", null)]
    [InlineData("wide", null)]
    [InlineData("-3", null)]
    [InlineData(null, null)]
    public void ParseColumns_OfTheEnvironment_IsAWidthOrNothing(string? text, int? expected) => Assert.Equal(expected, SystemTerminal.ParseColumns(text));
}
