using System.CommandLine;
using System.Text;
using Bnb.Engine.Text;

namespace Bnb.Cli.Completion;

/// <summary>The manual page in roff, made from the same texts as <c>--help</c>.</summary>
internal static class ManualPage
{
    public static string Of(RootCommand root, Func<string, IReadOnlyList<string>> examples)
    {
        var page = new StringBuilder();
        page.Append($".TH DOTNET\\-BNB 1 \"\" \"{Text(ToolVersion.Name)}\" \"User Commands\"\n");
        page.Append(".SH NAME\ndotnet\\-bnb \\- quantize and verify model checkpoints\n");
        page.Append(".SH SYNOPSIS\n.B dotnet bnb\n.I COMMAND\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n");
        page.Append($".SH DESCRIPTION\n{Text(root.Description ?? "")}.\n.SH COMMANDS\n");
        foreach (Command command in root.Subcommands.Where(command => !command.Hidden)) Write(command, examples(command.Name), page);
        page.Append(".SH EXIT STATUS\n0 when done. 14 when verify says no, 20 when diff finds differences, 2 for a wrong command line; the others are listed in docs/cli.md.\n");
        page.Append(".SH ENVIRONMENT\n");
        foreach (string name in (string[])["BNB_KERNEL_PATH", "HF_HUB_CACHE", "HF_HOME", "COLUMNS", "NO_COLOR", "TERM"]) page.Append($".TP\n.B {name}\nSee docs/cli.md.\n");
        page.Append(".SH EXAMPLES\n.nf\n");
        foreach (string line in examples("")) page.Append(Text(line)).Append('\n');
        page.Append(".fi\n");
        return page.ToString();
    }

    private static void Write(Command command, IReadOnlyList<string> examples, StringBuilder page)
    {
        string arguments = string.Concat(command.Arguments.Select(argument => " " + argument.Name));
        page.Append($".SS {Text(command.Name + arguments)}\n{Text(command.Description ?? "")}.\n");
        foreach (Argument argument in command.Arguments) page.Append($".TP\n.I {Text(argument.Name)}\n{Text(argument.Description ?? "")}\n");
        foreach (Option option in command.Options.Where(option => !option.Hidden))
        {
            OptionShape shape = OptionShape.Of(command, option);
            string value = shape.ValueName is { } name ? $" \\fI{Text(name)}\\fR" : "";
            page.Append($".TP\n{string.Join(", ", shape.Names.Select(alias => $"\\fB{Text(alias)}\\fR"))}{value}\n{Text(option.Description ?? "")}\n");
        }

        if (examples.Count == 0) return;
        page.Append(".PP\n.nf\n");
        foreach (string line in examples) page.Append($"    {Text(line)}\n");
        page.Append(".fi\n");
    }

    /// <summary>A backslash and a dash mean something to roff, a point or quote at the beginning of a line as well.</summary>
    private static string Text(string text)
    {
        string escaped = text.Replace("\\", "\\e", StringComparison.Ordinal).Replace("-", "\\-", StringComparison.Ordinal).ReplaceLineEndings(" ");
        return escaped.StartsWith('.') || escaped.StartsWith('\'') ? "\\&" + escaped : escaped;
    }
}
