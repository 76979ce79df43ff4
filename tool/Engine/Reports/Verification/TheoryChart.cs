using Bnb.Engine.Verifying;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Reports.Verification;

/// <summary>
/// Every layer's error against theory. With products run: error of the product over that of the weights, both divided by
/// theory, so that all types and block sizes meet at 1. Without: measured error over expected error.
/// </summary>
internal static class TheoryChart
{
    private const double Width = 480, Height = 340, Left = 68, Right = 14, Top = 14, Bottom = 46;

    public static string Draw(IReadOnlyList<LayerResult> layers)
    {
        List<Mark> marks = Marks(layers, out bool products);
        var svg = new Svg(Width, Height, "error against theory");
        (Axis x, Axis y) = Axes(marks, products);
        DrawGrid(svg, x, y, products);

        // A picture needs no two marks on one spot; of 20,000 layers a few hundred are left. Failed ones are drawn on top.
        HashSet<(int X, int Y, bool Passed)> drawn = [];
        foreach (Mark mark in marks.OrderByDescending(static mark => mark.Layer.Passed))
        {
            (double left, double top) = (x.Place(mark.X), y.Place(mark.Y));
            if (!drawn.Add(((int)(left * 2), (int)(top * 2), mark.Layer.Passed))) continue;
            svg.Circle(left, top, mark.Layer.Passed ? 3.2 : 4.5, mark.Layer.Passed ? "dot" : "dot bad", Tip(mark.Layer));
        }

        return svg.ToString();
    }

    /// <summary>What the reader must know to read the picture.</summary>
    public static string Note(IReadOnlyList<LayerResult> layers)
    {
        List<Mark> marks = Marks(layers, out bool products);
        string note = products
            ? "Each dot is a layer. 1 is what theory expects; on the diagonal the product loses just what the weights lost."
            : "Each dot is a layer; on the diagonal it is as good as theory expects.";
        int missing = layers.Count - marks.Count;
        return missing == 0 ? note : $"{note} {VerificationText.Count(missing, "layer")} without these numbers not drawn.";
    }

    private static List<Mark> Marks(IReadOnlyList<LayerResult> layers, out bool products)
    {
        bool run = layers.Any(static layer => layer.Gemm is not null);
        products = run;
        return [.. layers.Select(layer => ToMark(layer, run)).Where(static mark => double.IsFinite(mark.X) && double.IsFinite(mark.Y))];
    }

    private static Mark ToMark(LayerResult layer, bool products)
    {
        double expected = layer.Weight.Expected;
        return products
            ? new Mark(layer, layer.Weight.RelativeRmse / expected, (layer.Gemm?.TotalRelativeError ?? double.NaN) / expected)
            : new Mark(layer, expected, layer.Weight.RelativeRmse);
    }

    private static (Axis X, Axis Y) Axes(List<Mark> marks, bool products)
    {
        List<double> values = [.. marks.SelectMany(static mark => new[] { mark.X, mark.Y })];
        if (products) values.Add(1);
        double least = values.DefaultIfEmpty(0).Min();
        double most = values.DefaultIfEmpty(1).Max();
        // Most runs lie within a few percent of theory and need a linear axis; one broken layer needs the other.
        bool log = least > 0 && most / least > 4;
        double pad = log ? Math.Pow(most / least, 0.05) : Math.Max((most - least) * 0.08, Math.Max(Math.Abs(most) * 0.01, 1e-12));
        (least, most) = log ? (least / pad, most * pad) : (least - pad, most + pad);
        return (new Axis(least, most, Left, Width - Right, log), new Axis(least, most, Height - Bottom, Top, log));
    }

    private static void DrawGrid(Svg svg, Axis x, Axis y, bool products)
    {
        foreach (double tick in y.Ticks(5))
        {
            svg.Line(Left, y.Place(tick), Width - Right, y.Place(tick), "grid");
            svg.Text(Left - 6, y.Place(tick) + 4, Label(tick), "end");
        }

        foreach (double tick in x.Ticks(5))
        {
            svg.Line(x.Place(tick), Top, x.Place(tick), Height - Bottom, "grid");
            svg.Text(x.Place(tick), Height - Bottom + 17, Label(tick));
        }

        svg.Line(x.From, y.From, x.To, y.To, products ? "diagonal" : "theory");
        if (products)
        {
            svg.Line(x.Place(1), Top, x.Place(1), Height - Bottom, "theory");
            svg.Line(Left, y.Place(1), Width - Right, y.Place(1), "theory");
        }

        svg.Text((Left + Width - Right) / 2, Height - 6, products ? "weight error / theory" : "expected weight error");
        svg.Text(13, (Top + Height - Bottom) / 2, products ? "product error / theory" : "measured weight error", turn: -90);

        string Label(double tick) => products ? ChartText.Short(tick) : ChartText.Percent(tick);
    }

    private static string Tip(LayerResult layer) =>
        $"{DisplayText.Escape(layer.Name)}: weights {VerificationText.Percent(layer.Weight.RelativeRmse)}"
        + (layer.Gemm is { } gemm ? $", product {VerificationText.Percent(gemm.TotalRelativeError)}" : "")
        + $", theory {VerificationText.Percent(layer.Weight.Expected)}";

    private readonly record struct Mark(LayerResult Layer, double X, double Y);
}
