using System.Globalization;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Verifying;
using Bnb.Formats.Primitives;
using Spectre.Console;
using static Bnb.Engine.Reports.Verification.VerificationText;

namespace Bnb.Cli.Screens;

/// <summary>The result of <c>verify</c> on the screen: layers worst first, totals, what failed, and the verdict last.</summary>
internal static class VerificationScreen
{
    private const int ShownLayers = 20;
    private const int ShownFindings = 20;
    private const int ShownRemarks = 3;
    private const string Whole = "checkpoint";

    /// <summary>The 20 worst layers and findings, or all of them with --verbosity detailed.</summary>
    public static void Write(VerificationReport report, ITerminal terminal, Verbosity verbosity) => TableConsole.Print(terminal, console =>
    {
        bool everything = verbosity >= Verbosity.Detailed;
        VerificationTotals totals = VerificationTotals.Of(report);
        IReadOnlyList<LayerResult> layers = LayerOrder.WorstFirst(report.Layers);
        if (layers.Count > 0) WriteLayers(layers, everything ? layers.Count : ShownLayers, console);
        WriteTotals(report, totals, console);
        console.WriteLine();
        WriteFindings(report, layers, everything ? int.MaxValue : ShownFindings, console);
        var color = new Style(report.Passed ? Color.Green : Color.Red, decoration: Decoration.Bold);
        console.Write(new Text(Verdict(report, totals), color));
        console.WriteLine();
    });

    private static void WriteLayers(IReadOnlyList<LayerResult> layers, int shown, IAnsiConsole console)
    {
        List<(string Title, bool Right, Func<LayerResult, string> Value)> columns =
        [
            ("layer", false, layer => Drawable(DisplayText.Escape(layer.Name))),
            ("type", false, layer => Drawable(Format(layer))),
            ("error", true, layer => Percent(layer.Weight.RelativeRmse)),
            ("theory", true, layer => Theory(layer.Weight)),
            ("SNR dB", true, layer => Decibels(layer.Weight.SnrDb)),
            ("product", true, layer => layer.Gemm is null ? "-" : Percent(layer.Gemm.TotalRelativeError)),
            ("kernel", true, layer => layer.Gemm is null ? "-" : KernelPercent(layer.Gemm.KernelRelativeError)),
            ("codes differ", true, layer => Count(layer.Faithfulness.CodesDiffering)),
        ];
        Table table = TableConsole.NewTable([.. columns.Select(column => (column.Title, column.Right)), ("", false)]);
        foreach (LayerResult layer in layers.Take(shown))
        {
            table.AddRow(
            [
                .. columns.Select(column => new Text(column.Value(layer))),
                new Text(layer.Passed ? "ok" : "FAILED", layer.Passed ? Style.Plain : new Style(Color.Red)),
            ]);
        }

        console.Write(TableFit.Of(console, table, "kernel", "SNR dB", "type", "product", "theory", "codes differ"));
        List<LayerResult> hidden = [.. layers.Skip(shown)];
        if (hidden.Count == 0) return;
        int failed = hidden.Count(static layer => !layer.Passed);
        string verdict = failed == 0 ? "all passed" : $"{Count(failed)} of them failed";
        console.Write(new Text($"... and {Count(hidden.Count, "more layer")}, {verdict}; --verbosity detailed lists them"));
        console.WriteLine();
        console.WriteLine();
    }

    private static void WriteTotals(VerificationReport report, VerificationTotals totals, IAnsiConsole console)
    {
        List<(string Label, string Value)> facts =
        [
            ("layers", $"{Coverage(report)} checked, {Count(totals.Failed)} failed"),
            ("codes", Codes(report)),
        ];
        if (totals.CodesExcused > 0)
            facts.Add(("codes excused", $"{Count(totals.CodesExcused)}, where bitsandbytes' own paths differ too"));
        if (totals.AbsmaxDiffering > 0) facts.Add(("absmax", $"{Count(totals.AbsmaxDiffering)} differ"));
        if (totals.Worst is { } worst)
        {
            facts.Add(("weight error", $"median {Percent(totals.MedianError)}, "
                + $"worst {Percent(worst.Weight.RelativeRmse)} in {worst.Name}"));
        }

        if (totals.WorstProduct is { Gemm: { } product } worstProduct)
        {
            facts.Add(("product error", $"worst {Percent(product.TotalRelativeError)} in {worstProduct.Name}"));
        }

        if (totals.WorstKernel is { Gemm: { } kernel } && totals.WorstBoundUse is { Gemm: { } bound })
        {
            facts.Add(("kernel error", $"worst {KernelPercent(kernel.KernelRelativeError)}, "
                + $"using {Percent(bound.KernelBoundUse, 0)} of its bound ({kernel.ComputeDType}, kernels {report.KernelPath})"));
        }

        facts.Add(("plain tensors", $"{Count(report.PlainDiffering)} of {Count(report.PlainTensors)} differ"));
        if (report.DeviceNote is { } note) facts.Add(("device", DisplayText.Escape(note)));
        facts.Add(("seed", report.Seed.ToString(CultureInfo.InvariantCulture)));
        facts.Add(("time", $"{TableConsole.Number(report.Seconds, 2)} s"));
        TableConsole.WriteFacts(console, [.. facts.Select(static fact => (fact.Label, Drawable(fact.Value)))]);
    }

    private static void WriteFindings(VerificationReport report, IReadOnlyList<LayerResult> layers, int shown, IAnsiConsole console)
    {
        List<(string Place, Finding Finding)> all =
        [
            .. report.Findings.Select(static finding => (Whole, finding)),
            .. layers.SelectMany(static layer => layer.Findings.Select(finding => (DisplayText.Escape(layer.Name), finding))),
        ];
        if (all.Count == 0) return;
        // Reasons to fail come before remarks, whatever layer they are about.
        List<(string Place, Finding Finding)> chosen = [.. Condensed([.. all.OrderByDescending(static item => Diagnosis.Is(item.Finding)).ThenByDescending(static item => item.Finding.Fails)], shown)];
        foreach ((string place, Finding finding) in chosen)
        {
            var style = finding.Fails ? new Style(Color.Red) : Style.Plain;
            console.Write(new Text(Drawable($"{(finding.Fails ? "failed" : "note")}  {place}  {Line(finding)}"), style));
            console.WriteLine();
        }

        if (all.Count > chosen.Count)
        {
            console.Write(new Text($"... and {Count(all.Count - chosen.Count, "more finding")}; --verbosity detailed lists them"));
            console.WriteLine();
        }

        console.WriteLine();
    }

    /// <summary>The first of all, but of one kind of remark only the first few: it may be true of every layer of a model.</summary>
    private static IEnumerable<(string Place, Finding Finding)> Condensed(List<(string Place, Finding Finding)> all, int shown)
    {
        bool everything = shown == int.MaxValue;
        var remarks = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((string place, Finding finding) in all)
        {
            if (!everything && !finding.Fails && place != Whole)
            {
                remarks[finding.Rule] = remarks.GetValueOrDefault(finding.Rule) + 1;
                if (remarks[finding.Rule] > ShownRemarks) continue;
            }

            if (shown-- <= 0) yield break;
            yield return (place, finding);
        }
    }

    /// <summary>Spectre.Console's table of character widths lacks U+FFFF, so that the character stops it with an exception.</summary>
    private static string Drawable(string text) => text.Replace('\uffff', '\ufffd');
}
