using System.Globalization;
using Bnb.Engine.Verifying;
using Bnb.Quant.Blockwise;

namespace Bnb.Engine.Reports.Verification;

/// <summary>Distributions over all layers of one quant type.</summary>
internal static class HistogramCharts
{
    private const double Width = 480, Height = 282, Left = 56, Right = 10, Top = 14;
    private const int Codes = 16;

    /// <summary>How often each of the 16 codes occurs, in the order of the values they stand for.</summary>
    public static string CodeUse(string quantType, IEnumerable<LayerResult> layers)
    {
        long[] counts = Sum(layers.Select(static layer => layer.Histograms.CodeUse), Codes);
        string[] labels = Labels(quantType);
        int[] order = OrderOfValues(quantType);
        (Svg svg, Axis y, long total) = Start("use of the codes", counts, bottom: 74);
        var x = new Axis(0, Codes, Left, Width - Right);
        for (int i = 0; i < Codes; i++)
        {
            int code = order[i];
            Bar(svg, x, y, i, 4, Share(counts[code], total), $"code {code} = {labels[code]}: {Amount(counts[code], total)}");
            svg.Text(x.Place(i + 0.5) + 4, y.From + 12, labels[code], "end", -55);
        }

        svg.Text((Left + Width - Right) / 2, Height - 5, Axis(quantType));
        return svg.ToString();
    }

    /// <summary>What each of the 16 counts is about.</summary>
    private static string[] Labels(string quantType) => quantType switch
    {
        "int8" => [.. Enumerable.Range(0, Codes).Select(i => $"{((i * 16) - 128).ToString(CultureInfo.InvariantCulture)}..")],
        "int4" => [.. Enumerable.Range(0, Codes).Select(i => (i - 8).ToString(CultureInfo.InvariantCulture))],
        _ when ValuesOf(quantType) is { } values => [.. values.Select(value => value.ToString("0.000", CultureInfo.InvariantCulture))],
        _ => [.. Enumerable.Range(0, Codes).Select(code => ChartText.Short(code))],
    };

    private static string Axis(string quantType) => quantType switch
    {
        "int8" => "code, in sixteenths of its range",
        "int4" => "code before the zero point is taken off",
        _ => ValuesOf(quantType) is null ? "code" : "value of the code for absmax 1",
    };

    private static int[] OrderOfValues(string quantType) => ValuesOf(quantType) is { } values
        ? [.. Enumerable.Range(0, Codes).OrderBy(code => values[code])]
        : [.. Enumerable.Range(0, Codes)];

    private static float[]? ValuesOf(string quantType) => Code4Catalog.All.FirstOrDefault(code => code.Name == quantType)?.Values.ToArray();

    /// <summary>What errors are measured in, see <see cref="Histograms"/>.</summary>
    private static string Unit(string quantType) => quantType switch
    {
        "int8" => $"(decoded - source) / (absmax / {Histograms.Int8Unit})",
        "int4" => "(decoded - source) / (7.5 scales)",
        _ => "(decoded - source) / absmax",
    };

    /// <summary>(decoded - source) / absmax in the bins of <see cref="Histograms"/>.</summary>
    public static string WeightError(string quantType, IEnumerable<LayerResult> layers)
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
        svg.Text((Left + Width - Right) / 2, Height - 5, Unit(quantType));
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
