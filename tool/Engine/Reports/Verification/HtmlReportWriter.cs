using Bnb.Engine.Text;
using Bnb.Engine.Verifying;
using static Bnb.Engine.Reports.Verification.VerificationText;

namespace Bnb.Engine.Reports.Verification;

/// <summary>
/// The report as one web page without scripts, images or links: verdict, totals, what failed, pictures, every layer
/// with the failed ones first, and which files these were. Names are shown escaped.
/// </summary>
internal sealed class HtmlReportWriter : IVerificationReportWriter
{
    private const int MostFindings = 200;

    /// <inheritdoc/>
    public void Write(VerificationReport report, TextWriter output)
    {
        VerificationTotals totals = VerificationTotals.Of(report);
        IReadOnlyList<LayerResult> worstFirst = LayerOrder.WorstFirst(report.Layers);
        HtmlPage.WriteHead("verify", report.Passed, "Verified", Verdict(report, totals), report.Quantized, report.Source, output);
        WriteTiles(report, totals, output);
        WriteFindings(report, worstFirst, fails: true, output);
        if (report.Layers.Count > 0) WriteCharts(LayerOrder.InModel(report.Layers), output);
        WriteFindings(report, worstFirst, fails: false, output);
        if (worstFirst.Count > 0) HtmlLayerTable.Write(worstFirst, output);
        HtmlFileTable.Write(report, output);
        WriteFoot(report, output);
    }

    private static void WriteTiles(VerificationReport report, VerificationTotals totals, TextWriter output)
    {
        output.Write("<div class=\"tiles\">\n");
        Tile(Coverage(report), $"layers checked, {(totals.Failed == 0 ? "none" : Count(totals.Failed))} failed", totals.Failed > 0);
        string excused = totals.CodesExcused == 0 ? "" : $"; {Count(totals.CodesExcused)} more excused";
        Tile(Count(report.CodesDiffering), $"of {Count(report.Codes)} codes differ{excused}", report.CodesDiffering > 0);
        if (totals.AbsmaxDiffering > 0) Tile(Count(totals.AbsmaxDiffering), "absmax values differ", bad: true);
        if (totals.Worst is { } worst)
        {
            Tile(Percent(worst.Weight.RelativeRmse),
                $"largest weight error; median {Percent(totals.MedianError)}, theory {Theory(worst.Weight)}");
        }

        if (totals.WorstProduct?.Gemm is { } product)
            Tile(Percent(product.TotalRelativeError), "largest product error, against the original weights");
        if (totals.WorstKernel?.Gemm is { } kernel && totals.WorstBoundUse?.Gemm is { } bound)
        {
            Tile(KernelPercent(kernel.KernelRelativeError),
                $"largest kernel error; {Percent(bound.KernelBoundUse, 0)} of its bound used", !(bound.KernelBoundUse <= 1));
        }

        Tile(Count(report.PlainDiffering), $"of {Count(report.PlainTensors, "plain tensor")} differ", report.PlainDiffering > 0);
        long before = report.SourceFiles.Sum(static file => file.Bytes), after = report.QuantizedFiles.Sum(static file => file.Bytes);
        if (before > 0) Tile(Percent((double)after / before, 1), $"of the source's size: {ByteSize.Format(after)} of {ByteSize.Format(before)}");
        output.Write("</div>\n");

        void Tile(string value, string label, bool bad = false) => HtmlPage.WriteTile(value, label, bad, output);
    }

    private static void WriteFindings(VerificationReport report, IReadOnlyList<LayerResult> layers, bool fails, TextWriter output)
    {
        List<(string Place, Finding Finding)> items =
        [
            .. report.Findings.Select(static finding => ("checkpoint", finding)),
            .. layers.SelectMany(static layer => layer.Findings.Select(finding => ($"<code>{HtmlText.Name(layer.Name)}</code>", finding))),
        ];
        items.RemoveAll(item => item.Finding.Fails != fails);
        if (items.Count == 0) return;
        output.Write(fails ? "<section class=\"card failures\">\n<h2>What failed</h2>\n" : "<section class=\"card\">\n<h2>Remarks</h2>\n");
        output.Write("<ul class=\"findings\">\n");
        foreach ((string place, Finding finding) in items.Take(MostFindings))
            output.Write($"<li>{place}: <b>{HtmlText.Name(finding.Rule)}</b> {HtmlText.Encode(finding.Text)}</li>\n");
        if (items.Count > MostFindings) output.Write($"<li>… and {Count(items.Count - MostFindings)} more</li>\n");
        output.Write("</ul>\n</section>\n");
    }

    private static void WriteCharts(IReadOnlyList<LayerResult> layers, TextWriter output)
    {
        Card("wide", "Weight error by layer", LayerErrorChart.Note(layers), LayerErrorChart.Draw(layers));
        Card("half", "Error against theory", TheoryChart.Note(layers), TheoryChart.Draw(layers));
        foreach (IGrouping<string, LayerResult> type in layers.GroupBy(static layer => layer.QuantType))
        {
            string of = $"All values of {Count(type.Count(), type.Key + " layer")}.";
            output.Write("<div class=\"pair\">\n");
            Card("half", $"Use of the {type.Key} codes", of, HistogramCharts.CodeUse(type.Key, type));
            Card("half", $"Weight error of {type.Key}", of, HistogramCharts.WeightError(type.Key, type));
            output.Write("</div>\n");
        }

        void Card(string kind, string title, string note, string picture) => output.Write(
            $"<section class=\"card\">\n<h2>{HtmlText.Name(title)}</h2>\n<p class=\"note\">{HtmlText.Name(note)}</p>\n"
            + $"<div class=\"scroll {kind}\">\n{picture}</div>\n</section>\n");
    }

    private static void WriteFoot(VerificationReport report, TextWriter output)
    {
        string sample = report.Sample is null ? "" : $", sample {HtmlText.Name(report.Sample)}";
        HtmlPage.WriteFoot(
            $"{ToolVersion.Name}, kernels {HtmlText.Name(report.KernelPath)}, seed {report.Seed}{sample}, {Significant(report.Seconds)} s", output);
    }
}
