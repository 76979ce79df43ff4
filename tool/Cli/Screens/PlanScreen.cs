using Bnb.Cli.Terminal;
using Bnb.Engine.Planning;
using Bnb.Engine.Recipes;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;
using Spectre.Console;

namespace Bnb.Cli.Screens;

/// <summary>The result of <c>plan</c>: which tensors get another form, and what the whole comes to.</summary>
internal static class PlanScreen
{
    public static void Write(PlanSummary summary, string? file, ITerminal terminal) => TableConsole.Print(terminal, console =>
    {
        if (summary.Overrides.Count > 0)
        {
            Table table = TableConsole.NewTable(("module", false), ("form", false));
            foreach (RecipeOverride rule in summary.Overrides) table.AddRow(new Text(DisplayText.Escape(rule.Pattern)), new Text(rule.Form));
            console.Write(TableFit.Of(console, table));
        }

        List<(string, string)> facts = [];
        if (summary.Output.Source.Request.Components.Count > 0)
        {
            facts.AddRange(summary.Output.Models.Select(static model => (
                DisplayText.Escape(model.Plan.Component!),
                $"{ByteSize.Exact(model.OutputFileBytes)} bytes, {TableConsole.Number(model.BitsPerParameter, 4)} bits per parameter")));
            facts.AddRange(summary.Output.Source.Copied.Select(static copied => (DisplayText.Escape(copied.Component), $"{ByteSize.Exact(copied.FileBytes)} bytes, copied")));
        }

        TableConsole.WriteFacts(
            console,
            [.. facts, ("recipe", $"{summary.Output.Type}, {summary.Overrides.Count} overrides"),
            ("parameters", $"{TableConsole.Number(summary.Output.ParameterCount)}, {TableConsole.Percent(summary.Output.QuantizedParameterCount, summary.Output.ParameterCount)} quantized"),
            ("weight files", $"{ByteSize.Exact(summary.Bytes)} bytes"),
            ("bits per parameter", TableConsole.Number(summary.BitsPerParameter, 4)),
            ("expected error", $"{TableConsole.Number(summary.ExpectedError * 100, 3)} %, relative RMSE"),
            ("without overrides", $"{ByteSize.Exact(summary.Uniform.Bytes)} bytes, {TableConsole.Number(summary.Uniform.Error * 100, 3)} %"),
            ("written to", file is null ? "nothing; --output writes a recipe for quantize --config" : DisplayText.Escape(file))]);
    });
}
