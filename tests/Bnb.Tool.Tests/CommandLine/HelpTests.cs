using System.Text.RegularExpressions;
using Xunit;

namespace Bnb.Tool.Tests.CommandLine;

public sealed partial class HelpTests
{
    [Theory]
    [InlineData("quantize")]
    [InlineData("inspect")]
    [InlineData("demo")]
    public void Help_OfCommand_NamesTheDefaultOfEveryOption(string command)
    {
        ToolRun run = ToolRun.Succeed(command, "--help");

        // An option's text may take several lines: the next option begins two blanks in with a dash.
        string options = run.Out[run.Out.IndexOf("Options:", StringComparison.Ordinal)..];
        foreach (string option in OptionStart().Split(options).Skip(1))
        {
            if (option.Contains("--help", StringComparison.Ordinal)) continue;
            Assert.Matches(@"\((default: .+|no default; .+)\)", option.ReplaceLineEndings(" "));
        }
    }

    [Fact]
    public void Help_OfTool_NamesEveryCommandAndGoesToStdout()
    {
        ToolRun run = ToolRun.Succeed("--help");

        Assert.All((string[])["quantize", "inspect", "demo"], command => Assert.Contains(command, run.Out, StringComparison.Ordinal));
        Assert.Empty(run.Error);
    }

    [Fact]
    public void Version_Alone_IsOneLine()
    {
        ToolRun run = ToolRun.Succeed("--version");

        Assert.Matches(@"\A\d+\.\d+\.\d+\S*\n\z", run.Out);
        Assert.Empty(run.Error);
    }

    [GeneratedRegex(@"\n  (?=-)")]
    private static partial Regex OptionStart();
}
