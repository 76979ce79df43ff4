using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Reports;
using Bnb.Formats.Primitives;
using Spectre.Console;

namespace Bnb.Cli.Screens;

/// <summary>The result of <c>inspect</c> as a table.</summary>
internal static class InspectScreen
{
    public static void Write(InspectSummary summary, MemoryFit? fit, ITerminal terminal, Verbosity verbosity) => TableConsole.Print(terminal, console =>
    {
        bool everyTensor = verbosity >= Verbosity.Detailed;
        Table table = TableConsole.NewTable(("tensor", false), ("format", false), ("shape", false), ("count", true), ("bytes", true));
        var groups = TensorGroups.Fold(
            summary.Tensors,
            tensor => tensor.Name,
            tensor => new InspectRow(tensor.Format, tensor.Shape, everyTensor ? tensor.Name : ""));
        foreach ((string name, IReadOnlyList<InspectedTensor> members) in groups)
        {
            table.AddRow(
                new Text(DisplayText.Escape(name)),
                new Text(members[0].Format),
                new Text(members[0].Shape),
                new Text(TableConsole.Number(members.Count)),
                new Text(TableConsole.Number(members.Sum(member => member.ByteCount))));
        }

        console.Write(TableFit.Of(console, table, "count", "bytes", "shape"));
        (string, string)[] made = summary.Manifest is { } manifest
            ?
            [
                ("made by", DisplayText.Escape($"{manifest.Tool}, {manifest.Command}, plan {manifest.Plan}")),
                .. manifest.HasChecksums ? ((string, string)[])[] : [("checksums", "left out of weight files: made with --no-checksums")],
            ]
            : [];
        TableConsole.WriteFacts(
            console,
            [.. summary.Component is { } component ? [("component", DisplayText.Escape(component))] : ((string, string)[])[],
            ("tensors", $"{TableConsole.Number(summary.Tensors.Count)}, of which {TableConsole.Number(summary.QuantizedCount)} quantized"),
            ("parameters", TableConsole.Number(summary.ParameterCount) + (summary.QuantizedCount == 0 ? "" : $", {TableConsole.Percent(summary.Tensors.Where(tensor => tensor.Weight is not null).Sum(tensor => tensor.ParameterCount), summary.ParameterCount)} quantized")),
            ("bits per parameter", TableConsole.Number(summary.BitsPerParameter, 3)),
            ("tensor bytes", TableConsole.Number(summary.TensorBytes)),
            ("known to", summary.KnownTo.Count > 0 ? string.Join(", ", summary.KnownTo) : "no library of the atlas"),
            ("files", string.Join(", ", summary.Checkpoint.Files.Select(file => $"{file.Name} ({TableConsole.Number(file.Identity.Length)} bytes)"))), .. made]);
        if (fit is not null) FitText.Write(fit, console);
    });

    /// <summary>A row for each component of a pipeline, and what they come to.</summary>
    public static void WriteSum(PipelineSummary summary, MemoryFit? fit, ITerminal terminal) => TableConsole.Print(terminal, console =>
    {
        Table table = TableConsole.NewTable(("component", false), ("tensors", true), ("quantized", true), ("parameters", true), ("bytes", true));
        foreach (InspectSummary component in summary.Components)
        {
            table.AddRow(
                new Text(DisplayText.Escape(component.Component!)),
                new Text(TableConsole.Number(component.Tensors.Count)),
                new Text(TableConsole.Number(component.QuantizedCount)),
                new Text(TableConsole.Number(component.ParameterCount)),
                new Text(TableConsole.Number(component.TensorBytes)));
        }

        console.Write(TableFit.Of(console, table, "tensors", "parameters"));
        TableConsole.WriteFacts(
            console,
            ("pipeline", DisplayText.Escape(summary.Path)),
            ("tensors", $"{TableConsole.Number(summary.TensorCount)}, of which {TableConsole.Number(summary.QuantizedCount)} quantized"),
            ("parameters", TableConsole.Number(summary.ParameterCount)),
            ("bits per parameter", TableConsole.Number(summary.BitsPerParameter, 3)),
            ("tensor bytes", TableConsole.Number(summary.TensorBytes)));
        if (fit is not null) FitText.Write(fit, console);
    });

    private sealed record InspectRow(string Format, string Shape, string Name);
}
