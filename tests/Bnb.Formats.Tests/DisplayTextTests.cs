using Bnb.Formats.Primitives;
using FsCheck;
using FsCheck.Fluent;

namespace Bnb.Formats.Tests;

public sealed class DisplayTextTests
{
    [Theory]
    [InlineData("model.weight", "model.weight")]
    [InlineData("\u001b[31m", "\\x1b[31m")]
    [InlineData("a\r\n\0\u007f\u0085", "a\\x0d\\x0a\\x00\\x7f\\x85")]
    [InlineData("a\\x1b", "a\\\\x1b")]
    [InlineData("\u202etxt\u2028\u200b", "\\u202etxt\\u2028\\u200b")]
    [InlineData("日本 😀", "日本 😀")]
    public void Escape_Text_IsSafeToShow(string text, string shown) => Assert.Equal(shown, DisplayText.Escape(text));

    [Theory]
    [InlineData("a\u001b\\b", "a\\x1b\\b")]
    [InlineData("a\\x1b", "a\\x1b")]
    [InlineData("\u202e", "\\u202e")]
    public void EscapeAgain_Text_IsSafeToShowAndStaysSo(string text, string shown)
    {
        Assert.Equal(shown, DisplayText.EscapeAgain(text));
        Assert.Equal(shown, DisplayText.EscapeAgain(shown));
    }

    [Fact]
    public void Escape_LoneSurrogate_IsEscaped() => Assert.Equal("a\\ud800", DisplayText.Escape("a\ud800"));

    [Theory]
    [InlineData(200, 200, false)]
    [InlineData(201, 200, true)]
    [InlineData(70_000, 200, true)]
    public void Escape_LongText_IsCutAt200(int length, int shown, bool isCut)
    {
        string text = DisplayText.Escape(new string('x', length));

        Assert.Equal(shown, text.Length);
        Assert.Equal(isCut, text.EndsWith("...", StringComparison.Ordinal));
    }

    [Fact]
    public void Escape_AnyText_HasNoControlCharactersAndAtMost200() => Prop.ForAll<string>(text =>
    {
        string shown = DisplayText.Escape(text ?? "");
        return shown.Length <= DisplayText.MaxLength && !shown.Any(c => char.IsControl(c));
    }).QuickCheckThrowOnFailure();
}
