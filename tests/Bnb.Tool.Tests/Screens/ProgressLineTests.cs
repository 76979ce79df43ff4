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
