using System.Text.RegularExpressions;
using Bnb.Cli.Commands;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Xunit;

namespace Bnb.Tool.Tests;

/// <summary>One run of the whole tool in this process, with what it said and how it ended.</summary>
internal sealed record ToolRun(ExitCode Exit, string Out, string Error)
{
    public static ToolRun Of(params IReadOnlyList<string> args) => On(new FakeTerminal(), args);

    /// <summary>The same on a screen of some width, without colours.</summary>
    public static ToolRun At(int width, params IReadOnlyList<string> args) => On(new FakeTerminal(width, width), args);

    public static ToolRun On(FakeTerminal terminal, params IReadOnlyList<string> args)
    {
        using var signals = new SignalCancellation(listen: false);
        ExitCode exit = Application.Run(args, terminal, signals);
        return new ToolRun(exit, WithoutProgress(terminal.OutText), terminal.ErrorText);
    }

    /// <summary>How many progress lines a <c>--json</c> run prints is a matter of the clock, so no test sees them here.</summary>
    private static string WithoutProgress(string output) =>
        Regex.Replace(output, """^\{"type":"progress".*\n""", "", RegexOptions.Multiline);

    /// <summary>Runs and expects success; the message of a failure is the test's message.</summary>
    public static ToolRun Succeed(params IReadOnlyList<string> args)
    {
        ToolRun run = Of(args);
        Assert.True(run.Exit == ExitCode.Done, $"exit {run.Exit}: {run.Error}");
        return run;
    }
}
