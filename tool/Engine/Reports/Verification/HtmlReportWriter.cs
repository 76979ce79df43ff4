using Bnb.Engine.Text;
using Bnb.Engine.Verifying;
using static Bnb.Engine.Reports.Verification.VerificationText;

namespace Bnb.Engine.Reports.Verification;

/// <summary>
/// The report as one web page without scripts, images or links: verdict, totals, what failed, pictures, and every layer
/// with the failed ones first. Names are shown escaped, and the page forbids itself to load or run anything.
/// </summary>
internal sealed class HtmlReportWriter : IVerificationReportWriter
{
    private const int MostFindings = 200;

    /// <inheritdoc/>
    public void Write(VerificationReport report, TextWriter output)
    {
        VerificationTotals totals = VerificationTotals.Of(report);
        IReadOnlyList<LayerResult> worstFirst = LayerOrder.WorstFirst(report.Layers);
        WriteHead(report, totals, output);
        WriteTiles(report, totals, output);
        WriteFindings(report, worstFirst, fails: true, output);
        if (report.Layers.Count > 0) WriteCharts(LayerOrder.InModel(report.Layers), output);
        WriteFindings(report, worstFirst, fails: false, output);
        if (worstFirst.Count > 0) HtmlLayerTable.Write(worstFirst, output);
        WriteFoot(report, output);
    }

    private static void WriteHead(VerificationReport report, VerificationTotals totals, TextWriter output) => output.Write($"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>{(report.Passed ? "Verified" : "FAILED")}: {HtmlText.Name(ShortName(report.Quantized))}</title>
        <style>
        {HtmlStyle.Css}
        </style>
        </head>
        <body>
        <main>
        <p class="eyebrow">dotnet bnb verify</p>
        <h1 class="{(report.Passed ? "good" : "fail")}">{HtmlText.Encode(Verdict(report, totals))}</h1>
        <p class="paths"><code>{HtmlText.Name(report.Quantized)}</code> against <code>{HtmlText.Name(report.Source)}</code></p>

        """.ReplaceLineEndings("\n"));

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
        output.Write("</div>\n");

        void Tile(string value, string label, bool bad = false) => output.Write(
            $"<div class=\"tile\"><b{(bad ? " class=\"fail\"" : "")}>{HtmlText.Encode(value)}</b><span>{HtmlText.Encode(label)}</span></div>\n");
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
        output.Write($"<footer>{ToolVersion.Name}, kernels {HtmlText.Name(report.KernelPath)}, seed {report.Seed}{sample}, "
            + $"{Significant(report.Seconds)} s</footer>\n</main>\n</body>\n</html>\n");
    }

    private static string ShortName(string path) => Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
}
