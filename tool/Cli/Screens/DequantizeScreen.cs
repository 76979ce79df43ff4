using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Dequantizing;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Reports;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;
using Spectre.Console;

namespace Bnb.Cli.Screens;

/// <summary>The result of <c>dequantize</c>: per tensor, and in total.</summary>
internal static class DequantizeScreen
{
    public static void Write(IReadOnlyList<DequantizeSummary> models, ITerminal terminal, Verbosity verbosity)
    {
        if (models[0].Result.State == OutputState.NothingToDo)
        {
            terminal.Out.WriteLine(OutputText.NothingToDo(models[0].Output));
            return;
        }

        foreach (DequantizeSummary summary in models) WriteTable(summary, terminal, verbosity);
    }

    private static void WriteTable(DequantizeSummary summary, ITerminal terminal, Verbosity verbosity) => TableConsole.Print(terminal, console =>
    {
        Table table = TableConsole.NewTable(("tensor", false), ("was", false), ("becomes", false), ("bytes", true), ("becomes", true));
        List<(TensorPlan Plan, TensorInfo Info)> outputs =
            [.. summary.Plan.Shards.SelectMany(shard => shard.Outputs).Select(output => (output.Plan, output.Info))];
        var groups = TensorGroups.Fold(
            outputs,
            output => output.Info.Name,
            output => new DequantizeRow(output.Info.DType, output.Info.Shape, output.Plan.Decision.Rule, verbosity >= Verbosity.Detailed ? output.Info.Name : ""));
        foreach ((string name, var members) in groups)
        {
            (TensorPlan plan, TensorInfo info) = members[0];
            table.AddRow(
                new Text(DisplayText.Escape(name)),
                new Text(plan.Dequantization is { } packed ? WeightText.Short(packed.Weight) : "copied"),
                new Text($"{info.DType.Name()} {info.Shape}"),
                new Text(TableConsole.Number(members.Sum(member => member.Plan.SourceBytes))),
                new Text(TableConsole.Number(members.Sum(member => member.Info.ByteCount))));
        }

        console.Write(TableFit.Of(console, table, "bytes", "was"));
        int dense = summary.Plan.Tensors.Count(tensor => tensor.Dequantization is not null);
        (string, string)[] device = summary.Engine?.Note is { } note ? [("device", DisplayText.Escape(note))] : [];
        TableConsole.WriteFacts(
            console,
            [.. summary.Plan.Component is { } component ? [("component", DisplayText.Escape(component))] : ((string, string)[])[],
            ("tensors", $"{dense} dequantized, {summary.Plan.Tensors.Count - dense} copied"),
            .. summary.Plan.LeftOut is { Count: > 0 } scales ? [("left out", CacheScales.Note(scales))] : ((string, string)[])[],
            ("weight files before", $"{TableConsole.Number(summary.Plan.SourceFileBytes)} bytes in {summary.Plan.Source.Files.Count}"),
            ("weight files after", $"{TableConsole.Number(summary.OutputFileBytes)} bytes in {summary.Plan.Shards.Count}"),
            ("time", $"{TableConsole.Number(summary.Elapsed.TotalSeconds, 2)} s, {ByteSize.Format((long)(summary.OutputFileBytes / summary.Elapsed.TotalSeconds))}/s written"),
            .. device,
            .. OutputText.Reused(summary.Result, summary.Plan.Shards.Count),
            .. OutputText.Checksums(summary.Result),
            ("written to", summary.Output)]);
    });

    private sealed record DequantizeRow(DType Type, TensorShape Shape, string Rule, string Name);
}
