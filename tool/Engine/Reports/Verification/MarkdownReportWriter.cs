using System.Text;
using Bnb.Engine.Verifying;
using static Bnb.Engine.Reports.Verification.VerificationText;

namespace Bnb.Engine.Reports.Verification;

/// <summary>
/// The report as Markdown for a build's summary page: verdict, totals, what failed, the worst layers, and all of them
/// behind a click. Such pages take about 1 MB, so long lists end with a count of what they leave out.
/// </summary>
internal sealed class MarkdownReportWriter : IVerificationReportWriter
{
    private const int WorstRows = 10;
    private const int MostTableBytes = 700_000;
    private const int MostFailures = 50;

    /// <inheritdoc/>
    public void Write(VerificationReport report, TextWriter output)
    {
        VerificationTotals totals = VerificationTotals.Of(report);
        IReadOnlyList<LayerResult> layers = LayerOrder.WorstFirst(report.Layers);
        Line(output, "## dotnet bnb verify");
        Line(output);
        Line(output, $"{(report.Passed ? "✅" : "❌")} **{MarkdownText.Encode(Verdict(report, totals))}**");
        Line(output);
        WriteTotals(report, totals, output);
        WriteFindings(report, layers, output);
        if (layers.Count == 0) return;

        int worst = Math.Min(WorstRows, layers.Count);
        Line(output, $"### Worst {Count(worst, "layer")}");
        Line(output);
        WriteTable([.. layers.Take(worst)], output);
        if (layers.Count == worst) return;

        Line(output, $"<details><summary>All {Count(layers.Count, "layer")}, worst first</summary>");
        Line(output);
        int written = WriteTable(layers, output);
        if (layers.Count > written)
        {
            Line(output, $"… and {Count(layers.Count - written, "more layer")}, see the JSON report.");
            Line(output);
        }

        Line(output, "</details>");
    }

    private static void WriteTotals(VerificationReport report, VerificationTotals totals, TextWriter output)
    {
        Line(output, "| | |");
        Line(output, "|:--|:--|");
        Row("quantized", MarkdownText.Code(report.Quantized));
        Row("source", MarkdownText.Code(report.Source));
        Row("layers", $"{Coverage(report)} checked, {Count(totals.Failed)} failed");
        Row("codes", Codes(report) + Excused(totals));
        if (totals.AbsmaxDiffering > 0) Row("absmax", $"{Count(totals.AbsmaxDiffering)} differ");
        if (totals.Worst is { } worst)
        {
            Row("weight error", $"median {Percent(totals.MedianError)}, worst "
                + $"{Percent(worst.Weight.RelativeRmse)} (theory {Percent(worst.Weight.Expected)})");
        }

        if (totals.WorstProduct?.Gemm is { } product && totals.WorstKernel?.Gemm is { } kernel && totals.WorstBoundUse?.Gemm is { } bound)
        {
            Row("product error", $"worst {Percent(product.TotalRelativeError)}, of which the kernel "
                + $"{KernelPercent(kernel.KernelRelativeError)} ({Percent(bound.KernelBoundUse, 0)} of its bound)");
        }

        Row("plain tensors", $"{Count(report.PlainDiffering)} of {Count(report.PlainTensors)} differ");
        if (report.SourceFiles.Count > 0)
        {
            Row("weight files", $"{Count(report.QuantizedFiles.Sum(static file => file.Bytes))} bytes, "
                + $"the source's {Count(report.SourceFiles.Sum(static file => file.Bytes))}");
        }

        if (report.Command is { } command) Row("command", MarkdownText.Code(command));
        string sample = report.Sample is null ? "" : $", sample {MarkdownText.Code(report.Sample)}";
        Row("run", $"seed {report.Seed}, kernels {MarkdownText.Code(report.KernelPath)}{sample}, {Significant(report.Seconds)} s");
        Line(output);

        void Row(string label, string value) => Line(output, $"| {label} | {value} |");
    }

    private static string Excused(VerificationTotals totals) =>
        totals.CodesExcused == 0 ? "" : $", {Count(totals.CodesExcused)} more where bitsandbytes' own paths differ too";

    private static void WriteFindings(VerificationReport report, IReadOnlyList<LayerResult> layers, TextWriter output)
    {
        List<(string Place, Finding Finding)> all =
        [
            .. report.Findings.Select(static finding => ("checkpoint", finding)),
            .. layers.SelectMany(static layer => layer.Findings.Select(finding => (MarkdownText.Code(layer.Name), finding))),
        ];
        WriteList("Failures", [.. all.Where(static item => item.Finding.Fails)], output);
        WriteList("Remarks", [.. all.Where(static item => !item.Finding.Fails)], output);
    }

    private static void WriteList(string title, List<(string Place, Finding Finding)> items, TextWriter output)
    {
        if (items.Count == 0) return;
        Line(output, $"### {title}");
        Line(output);
        foreach ((string place, Finding finding) in items.Take(MostFailures))
            Line(output, $"- {place}: **{MarkdownText.Encode(finding.Rule)}** {MarkdownText.Encode(finding.Text)}");
        if (items.Count > MostFailures) Line(output, $"- … and {Count(items.Count - MostFailures)} more");
        Line(output);
    }

    /// <returns>How many layers there was room for.</returns>
    private static int WriteTable(IReadOnlyList<LayerResult> layers, TextWriter output)
    {
        int written = 0;
        int bytes = 0;
        Line(output, "| | layer | type | error | theory | SNR dB | product | kernel | codes differ |");
        Line(output, "|:-:|:--|:--|--:|--:|--:|--:|--:|--:|");
        foreach (LayerResult layer in layers)
        {
            string product = layer.Gemm is { } gemm
                ? $"{Percent(gemm.TotalRelativeError)} | {KernelPercent(gemm.KernelRelativeError)}"
                : "- | -";
            string row = $"| {(layer.Passed ? "✅" : "❌")} | {MarkdownText.Code(layer.Name)} | {MarkdownText.Encode(Format(layer))} "
                + $"| {Percent(layer.Weight.RelativeRmse)} | {Percent(layer.Weight.Expected)} "
                + $"| {Decibels(layer.Weight.SnrDb)} | {product} "
                + $"| {Count(layer.Faithfulness.CodesDiffering)} |";
            bytes += Encoding.UTF8.GetByteCount(row) + 1;
            if (bytes > MostTableBytes) break;
            Line(output, row);
            written++;
        }

        Line(output);
        return written;
    }

    // Not WriteLine: a report has the same bytes on every system.
    private static void Line(TextWriter output, string text = "")
    {
        output.Write(text);
        output.Write('\n');
    }
}
