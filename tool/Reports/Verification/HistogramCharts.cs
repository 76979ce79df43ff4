using System.Globalization;
using Bnb.Quant;
using Bnb.Tool.Verification;

namespace Bnb.Tool.Reports.Verification;

/// <summary>Distributions over all layers of one quant type.</summary>
internal static class HistogramCharts
{
    private const double Width = 480, Height = 282, Left = 56, Right = 10, Top = 14;
    private const int Codes = 16;

    /// <summary>How often each of the 16 codes occurs, in the order of the values they stand for.</summary>
    public static string CodeUse(string quantType, IEnumerable<LayerResult> layers)
    {
        long[] counts = Sum(layers.Select(static layer => layer.Histograms.CodeUse), Codes);
        ReadOnlyMemory<float> values = Code4Catalog.All.FirstOrDefault(code => code.Name == quantType)?.Values ?? default;
        int[] order = [.. Enumerable.Range(0, Codes).OrderBy(code => values.IsEmpty ? code : values.Span[code])];
        (Svg svg, Axis y, long total) = Start("use of the 16 codes", counts, bottom: 74);
        var x = new Axis(0, Codes, Left, Width - Right);
        for (int i = 0; i < Codes; i++)
        {
            int code = order[i];
            string value = values.IsEmpty ? "" : values.Span[code].ToString("0.000", CultureInfo.InvariantCulture);
            string label = value.Length > 0 ? $"code {code} = {value}" : $"code {code}";
            Bar(svg, x, y, i, 4, Share(counts[code], total), $"{label}: {Amount(counts[code], total)}");
            double middle = x.Place(i + 0.5) + 4;
            svg.Text(middle, y.From + 12, value.Length > 0 ? value : ChartText.Short(code), "end", -55);
        }

        svg.Text((Left + Width - Right) / 2, Height - 5, values.IsEmpty ? "code" : "value of the code for absmax 1");
        return svg.ToString();
    }

    /// <summary>(decoded - source) / absmax in the bins of <see cref="Histograms"/>.</summary>
    public static string WeightError(IEnumerable<LayerResult> layers)
    {
        long[] counts = Sum(layers.Select(static layer => layer.Histograms.ErrorCounts), Histograms.ErrorBins);
        (Svg svg, Axis y, long total) = Start("distribution of the weight error", counts, bottom: 44);
        var x = new Axis(0, Histograms.ErrorBins, Left, Width - Right);
        double width = 2 * Histograms.ErrorRange / Histograms.ErrorBins;
        for (int i = 0; i < Histograms.ErrorBins; i++)
        {
            double from = -Histograms.ErrorRange + i * width;
            string range = $"{ChartText.Short(from)} to {ChartText.Short(from + width)}";
            Bar(svg, x, y, i, 1.5, Share(counts[i], total), $"{range}: {Amount(counts[i], total)}");
        }

        var scale = new Axis(-Histograms.ErrorRange, Histograms.ErrorRange, x.From, x.To);
        foreach (double tick in scale.Ticks(8)) svg.Text(scale.Place(tick), y.From + 17, ChartText.Short(tick));
        svg.Text((Left + Width - Right) / 2, Height - 5, "(decoded - source) / absmax");
        return svg.ToString();
    }

    private static (Svg Svg, Axis Y, long Total) Start(string description, long[] counts, double bottom)
    {
        var svg = new Svg(Width, Height, description);
        long total = counts.Sum();
        double most = Share(counts.Max(), total);
        var y = new Axis(0, most > 0 ? most * 1.05 : 1, Height - bottom, Top);
        foreach (double tick in y.Ticks(5))
        {
            svg.Line(Left, y.Place(tick), Width - Right, y.Place(tick), "grid");
            svg.Text(Left - 6, y.Place(tick) + 4, ChartText.Percent(tick), "end");
        }

        svg.Line(Left, y.From, Width - Right, y.From, "base");
        return (svg, y, total);
    }

    private static void Bar(Svg svg, Axis x, Axis y, int index, double gap, double share, string tip)
    {
        double top = y.Place(share);
        svg.Rect(x.Place(index) + gap / 2, top, x.Place(index + 1) - x.Place(index) - gap, y.From - top, "bar", tip);
    }

    /// <summary>Layers without the histogram, or with another number of bins, do not count.</summary>
    private static long[] Sum(IEnumerable<IReadOnlyList<long>> histograms, int bins)
    {
        var sum = new long[bins];
        foreach (IReadOnlyList<long> counts in histograms.Where(counts => counts.Count == bins))
        {
            for (int i = 0; i < bins; i++) sum[i] += counts[i];
        }

        return sum;
    }

    private static double Share(long count, long total) => total == 0 ? 0 : (double)count / total;

    private static string Amount(long count, long total) => $"{VerificationText.Count(count)}, {VerificationText.Percent(Share(count, total))}";
}
