using System.CommandLine;
using Bnb.Cli.Completion;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb completion SHELL</c> and <c>dotnet bnb man</c>: what a shell and <c>man</c> need, on stdout.</summary>
internal static class CompletionCommand
{
    /// <param name="root">Asked when the command runs: by then it has all commands.</param>
    public static Command Create(ITerminal terminal, Func<RootCommand> root)
    {
        var shell = new Argument<string>("SHELL")
        {
            Description = "bash, zsh, fish or pwsh",
            CustomParser = Choice.Parser(CompletionScript.Shells.ToDictionary(name => name)),
        };
        var command = new Command("completion", "Print a script that completes commands, options and values in a shell") { shell };
        command.SetAction(parsed => terminal.Out.Write(CompletionScript.For(parsed.GetRequiredValue(shell), CommandShape.All(root()))));
        return command;
    }

    /// <summary>The manual page.</summary>
    public static Command CreateManual(ITerminal terminal, Func<RootCommand> root)
    {
        var command = new Command("man", "Print the manual page, for man -l");
        command.SetAction(_ => terminal.Out.Write(ManualPage.Of(root(), Examples.Of)));
        return command;
    }
}
