using Bnb.Engine.Verifying;
using static Bnb.Engine.Reports.Verification.VerificationText;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The table of all layers in the HTML report.</summary>
internal static class HtmlLayerTable
{
    // A page of more rows opens slowly on a phone; whoever wants 20,000 layers has the JSON report.
    private const int MostRows = 5000;

    public static void Write(IReadOnlyList<LayerResult> layers, TextWriter output)
    {
        string more = layers.Count > MostRows ? $" The first {Count(MostRows)} of {Count(layers.Count)}." : "";
        output.Write($"""
            <section class="card">
            <h2>All layers</h2>
            <p class="note">Failed ones first, then by weight error.{more}</p>
            <div class="scroll">
            <table>
            <thead><tr><th class="name">layer</th><th>verdict</th><th>codes differ</th><th>error</th><th>theory</th>
            <th>SNR dB</th><th>product</th><th>kernel</th><th>of bound</th></tr></thead>
            <tbody>

            """.ReplaceLineEndings("\n"));
        foreach (LayerResult layer in layers.Take(MostRows)) WriteRow(layer, output);
        output.Write("</tbody>\n</table>\n</div>\n</section>\n");
    }

    private static void WriteRow(LayerResult layer, TextWriter output)
    {
        output.Write(layer.Passed ? "<tr>" : "<tr class=\"failed\">");
        output.Write($"<td class=\"name\"><code>{Breakable(HtmlText.Name(layer.Name))}</code>");
        string shape = $"{Invariant(layer.Rows)} × {Invariant(layer.Columns)}";
        output.Write($"<small>{HtmlText.Encode(Format(layer))}, {HtmlText.Encode(shape)}</small>");
        WriteFindings(layer.Findings.Where(static finding => finding.Fails), "findings", output);
        WriteFindings(layer.Findings.Where(static finding => !finding.Fails), "findings remarks", output);
        output.Write($"</td><td class=\"{(layer.Passed ? "good\">ok" : "fail\">failed")}</td>");
        Cell(Count(layer.Faithfulness.CodesDiffering));
        Cell(Percent(layer.Weight.RelativeRmse));
        Cell(Percent(layer.Weight.Expected));
        Cell(Decibels(layer.Weight.SnrDb));
        Cell(layer.Gemm is { } total ? Percent(total.TotalRelativeError) : "-");
        Cell(layer.Gemm is { } kernel ? KernelPercent(kernel.KernelRelativeError) : "-");
        Cell(layer.Gemm is { } bound ? Percent(bound.KernelBoundUse, 0) : "-");
        output.Write("</tr>\n");

        void Cell(string text) => output.Write($"<td>{HtmlText.Encode(text)}</td>");
    }

    /// <summary>Narrow screens break names after their dots; no entity has one.</summary>
    private static string Breakable(string encoded) => encoded.Replace(".", ".<wbr>", StringComparison.Ordinal);

    private static void WriteFindings(IEnumerable<Finding> findings, string style, TextWriter output)
    {
        List<Finding> items = [.. findings];
        if (items.Count == 0) return;
        output.Write($"<ul class=\"{style}\">");
        foreach (Finding finding in items) output.Write($"<li>{HtmlText.Name(finding.Rule)}: {HtmlText.Encode(finding.Text)}</li>");
        output.Write("</ul>");
    }
}
