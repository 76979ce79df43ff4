using Bnb.Engine.Verifying;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The relative weight error of every layer as bars in the order given, with what theory expects and what is allowed.</summary>
internal static class LayerErrorChart
{
    private const double Width = 960, Height = 270, Left = 52, Right = 10, Top = 16, Bottom = 40;

    // More bars than that are thinner than a screen can show; then a bar stands for the worst of several layers.
    private const int MostBars = 320;

    public static string Draw(IReadOnlyList<LayerResult> layers)
    {
        var svg = new Svg(Width, Height, "relative weight error by layer");
        int perBar = (layers.Count + MostBars - 1) / MostBars;
        List<LayerResult[]> bars = [.. layers.Chunk(perBar)];
        double most = MostShown(layers);
        var x = new Axis(0, bars.Count, Left, Width - Right);
        var y = new Axis(0, most, Height - Bottom, Top);
        foreach (double tick in y.Ticks(5))
        {
            svg.Line(Left, y.Place(tick), Width - Right, y.Place(tick), "grid");
            svg.Text(Left - 6, y.Place(tick) + 4, ChartText.Percent(tick), "end");
        }

        double room = x.Place(1) - x.Place(0);
        double gap = Math.Min(room * 0.25, 6);
        List<(double X, double Y)> theory = [], limit = [];
        for (int i = 0; i < bars.Count; i++)
        {
            LayerResult worst = LayerOrder.WorstFirst(bars[i])[0];
            double error = LayerOrder.Badness(worst.Weight.RelativeRmse);
            double top = y.Place(error);
            string style = worst.Passed ? "bar" : "bar bad";
            svg.Rect(x.Place(i) + gap / 2, top, room - gap, Math.Max(y.From - top, 0.5), style, Tip(worst, bars[i].Length));
            if (error > most) svg.Text(x.Place(i + 0.5), Top - 4, "▲", style: "beyond");
            limit.Add((x.Place(i), y.Place(worst.Weight.Limit)));
            limit.Add((x.Place(i + 1), y.Place(worst.Weight.Limit)));
            if (!worst.Weight.HasTheory) continue;
            theory.Add((x.Place(i), y.Place(worst.Weight.Expected)));
            theory.Add((x.Place(i + 1), y.Place(worst.Weight.Expected)));
        }

        svg.Polyline(theory, "theory");
        if (layers.Any(layer => layer.Weight.Limit <= most))
        {
            svg.Polyline(limit, "limit");
            svg.Text(Left + 4, limit[0].Y - 4, "limit", "start", style: "limit-name");
        }

        svg.Line(Left, y.From, Width - Right, y.From, "base");
        foreach (double tick in new Axis(0, layers.Count, 0, 1).Ticks(8).Where(tick => tick % 1 == 0 && tick > 0))
            svg.Text(x.Place((tick - 0.5) / perBar), Height - Bottom + 17, ChartText.Short(tick));
        svg.Text((Left + Width - Right) / 2, Height - 5, "layer, in the order of the model");
        return svg.ToString();
    }

    /// <summary>What the reader must know to read the picture.</summary>
    public static string Note(IReadOnlyList<LayerResult> layers)
    {
        string note = "Bars: root mean square error of the decoded weights over that of the source. Line: expected for normal weights. Dashed: the limit.";
        int perBar = (layers.Count + MostBars - 1) / MostBars;
        if (perBar > 1) note += $" Each bar is the worst of {perBar} layers.";
        double most = MostShown(layers);
        if (layers.Any(layer => LayerOrder.Badness(layer.Weight.RelativeRmse) > most)) note += " ▲ goes beyond the picture.";
        return note;
    }

    /// <summary>One layer from the wrong source has 140 % error; it must not squeeze the others into a line.</summary>
    private static double MostShown(IReadOnlyList<LayerResult> layers)
    {
        double expected = layers.Where(static layer => layer.Weight.HasTheory).Select(static layer => layer.Weight.Expected).DefaultIfEmpty(0).Max();
        double largest = layers.Select(static layer => layer.Weight.RelativeRmse).Where(double.IsFinite).DefaultIfEmpty(0).Max();
        double most = Math.Max(largest, expected);
        // A limit far above everything would squeeze the bars, too, and needs no picture.
        most = layers.Select(static layer => layer.Weight.Limit).Where(limit => limit <= most * 2.5).Append(most).Max();
        if (expected > 0) most = Math.Min(most, expected * 2.5);
        return most > 0 ? most * 1.08 : 1;
    }

    private static string Tip(LayerResult layer, int layers) =>
        $"{(layers > 1 ? $"worst of {layers}: " : "")}{DisplayText.Escape(layer.Name)}: {VerificationText.Percent(layer.Weight.RelativeRmse)}, "
        + $"theory {VerificationText.Theory(layer.Weight)}, limit {VerificationText.Percent(layer.Weight.Limit)}{(layer.Passed ? "" : ", failed")}";
}
