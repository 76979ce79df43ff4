using Bnb.Cli.Terminal;
using Bnb.Engine.Architectures;
using Bnb.Engine.Linting;
using Bnb.Formats.Primitives;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Bnb.Cli.Screens;

/// <summary>The result of <c>lint</c> on a screen: a verdict for each library, and below it why.</summary>
internal static class LintScreen
{
    private const int MostTensors = 3;

    public static void Write(LintReport report, ITerminal terminal) => TableConsole.Print(terminal, console =>
    {
        foreach (ConsumerVerdict verdict in report.Consumers)
        {
            Style style = new(!verdict.Loads ? Color.Red : verdict.Word == "loads" ? Color.Green : Color.Yellow);
            console.Write(new Columns(new Text(verdict.Consumer.Word().PadRight(15)), new Text(verdict.Word, style)) { Expand = false });
            foreach (LintFinding finding in verdict.Findings) Write(finding, console);
        }

        console.WriteLine();
        TableConsole.WriteFacts(
            console,
            [.. report.Component is { } component ? [("component", DisplayText.Escape(component))] : ((string, string)[])[],
            ("class", DisplayText.Escape(report.ClassName ?? "not known: judged by the names of its tensors")),
            ("types", string.Join(", ", report.Types)),
            ("quantized", TableConsole.Number(report.QuantizedCount))]);
    });

    private static void Write(LintFinding finding, IAnsiConsole console)
    {
        IRenderable text = new Rows(
        [
            new Text($"{finding.Rule} {finding.Level.ToString().ToLowerInvariant()}: {finding.Text}"),
            .. finding.Tensors.Skip(1).Take(MostTensors - 1).Select(tensor => new Text("  " + DisplayText.Escape(tensor))),
            new Text("do: " + finding.Action),
        ]);
        console.Write(new Padder(text, new Padding(2, 0, 0, 0)));
    }
}
