using Bnb.Cli.Terminal;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Evaluating.Measures;
using Bnb.Engine.Reports.Evaluation;
using Spectre.Console;

namespace Bnb.Cli.Screens;

/// <summary>An evaluation on the screen: states, figures, verdict.</summary>
internal static class EvaluationScreen
{
    public static void Write(EvaluationReport report, ITerminal terminal) => TableConsole.Print(terminal, console =>
    {
        EvaluationResult result = report.Result;
        Table table = TableConsole.NewTable(("hidden state after", false), ("cosine", true), ("relative error", true), ("share of growth", true));
        foreach ((StateComparison state, double share) in result.States.Zip(result.Shares))
        {
            table.AddRow(
                new Text(EvaluationText.StateName(state.State, result.States[^1].State)),
                new Text(TableConsole.Number(state.Cosine, 6)),
                new Text(EvaluationText.Percent(state.RelativeError)),
                new Text(EvaluationText.Percent(share)));
        }

        console.Write(TableFit.Of(console, table, "share of growth", "cosine"));
        (string, string)[] device = result.DeviceNote is { } note ? [("device", note)] : [];
        (string, string)[] facts = [.. EvaluationText.Facts(result), .. device, ("time", $"{TableConsole.Number(result.Seconds, 2)} s")];
        TableConsole.WriteFacts(console, facts);
        console.Write(new Text(EvaluationText.Verdict(report) + "\n"));
    });
}
