using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Reports;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;
using Spectre.Console;

namespace Bnb.Cli.Screens;

/// <summary>The result of <c>quantize</c> and of its dry run: per tensor, and in total.</summary>
internal static class QuantizeScreen
{
    /// <summary>
    /// A dry run and --verbosity detailed list every tensor; otherwise layers that differ only in their number share a row.
    /// </summary>
    public static void Write(IReadOnlyList<QuantizeSummary> models, Func<QuantizeSummary, MemoryFit?> fit, ITerminal terminal, Verbosity verbosity)
    {
        if (models[0].Result.State == OutputState.NothingToDo)
        {
            terminal.Out.WriteLine(OutputText.NothingToDo(models[0].Request.OutputPath!));
            return;
        }

        foreach (QuantizeSummary summary in models) WriteTable(summary, fit(summary), terminal, verbosity);
    }

    private static void WriteTable(QuantizeSummary summary, MemoryFit? fit, ITerminal terminal, Verbosity verbosity) => TableConsole.Print(terminal, console =>
    {
        bool everyTensor = summary.Request.DryRun || verbosity >= Verbosity.Detailed;
        Table table = TableConsole.NewTable(("tensor", false), ("action", false), ("shape", false), ("bytes", true), ("becomes", true));
        var groups = TensorGroups.Fold(
            summary.Plan.Tensors,
            tensor => tensor.Name,
            tensor => new QuantizeRow(tensor.DType, tensor.Shape, tensor.Decision.Rule, everyTensor ? tensor.Name : ""));
        IReadOnlyDictionary<TensorPlan, long> outputBytes = summary.OutputBytesByTensor();
        foreach ((string name, IReadOnlyList<TensorPlan> members) in groups)
        {
            TensorPlan first = members[0];
            table.AddRow(
                new Text(DisplayText.Escape(name)),
                new Text(Action(first, summary.Plan.Recipe)),
                new Text($"{first.DType.Name()} {first.Shape}"),
                new Text(TableConsole.Number(members.Sum(member => member.SourceBytes))),
                new Text(TableConsole.Number(members.Sum(member => outputBytes[member]))));
        }

        console.Write(TableFit.Of(console, table, "bytes", "shape"));
        WriteTotals(summary, console);
        if (fit is not null) FitText.Write(fit, console);
    });

    private static void WriteTotals(QuantizeSummary summary, IAnsiConsole console)
    {
        QuantizePlan plan = summary.Plan;
        int quantized = plan.Tensors.Count(tensor => tensor.Quantization is not null);
        (string, string)[] device = summary.Engine?.Note is { } note ? [("device", DisplayText.Escape(note))] : [];
        TableConsole.WriteFacts(
            console,
            [.. plan.Component is { } component ? [("component", DisplayText.Escape(component))] : ((string, string)[])[],
            ("tensors", $"{quantized} quantized, {plan.Tensors.Count - quantized} copied"),
            ("parameters", $"{TableConsole.Number(plan.ParameterCount)}, {TableConsole.Percent(plan.QuantizedParameterCount, plan.ParameterCount)} quantized"),
            ("bits per parameter", TableConsole.Number(summary.BitsPerParameter, 3)),
            ("weight files before", $"{TableConsole.Number(plan.SourceFileBytes)} bytes in {plan.Source.Files.Count}"),
            ("weight files after", $"{TableConsole.Number(summary.OutputFileBytes)} bytes in {plan.Shards.Count}, {TableConsole.Percent(summary.OutputFileBytes, plan.SourceFileBytes)} of before"),
            (plan.Recipe is Int4Recipe or Fp8Recipe ? "ignore" : "skip modules", string.Join(", ", plan.Policy.SkipModules)),
            ("time", $"{TableConsole.Number(summary.Elapsed.TotalSeconds, 2)} s, {ByteSize.Format((long)(plan.SourceTensorBytes / summary.Elapsed.TotalSeconds))}/s"),
            .. device,
            .. OutputText.Reused(summary.Result, plan.Shards.Count),
            .. OutputText.Checksums(summary.Result),
            .. summary.Request.Share is { } share ? [("worker", share.ToString())] : ((string, string)[])[],
            ("written to", WrittenTo(summary))]);
    }

    private static string WrittenTo(QuantizeSummary summary) => summary switch
    {
        { Request.DryRun: true } => "nothing, this was a dry run",
        { Result.State: OutputState.ShareDone } => $"the staging folder of {summary.Request.OutputPath}, which is not complete yet",
        _ => summary.Request.OutputPath!,
    };

    private static string Action(TensorPlan tensor, QuantizeRecipe recipe)
    {
        if (tensor.Quantization is not { } quantization) return $"copied ({tensor.Decision.Rule})";
        string flags = (tensor.Decision.Unaligned ? ", unaligned" : "") + (quantization.Transpose ? ", transposed" : "");
        return recipe.Type + flags;
    }

    private sealed record QuantizeRow(DType Type, TensorShape Shape, string Rule, string Name);
}
