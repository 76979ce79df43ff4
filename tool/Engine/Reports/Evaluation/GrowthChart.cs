using Bnb.Engine.Evaluating.Measures;
using Bnb.Engine.Reports.Verification;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>How the error of the hidden state grows from layer to layer: a line, and bars for each layer's share.</summary>
internal static class GrowthChart
{
    private const double Width = 960, Height = 280, Left = 56, Right = 12, Top = 14, Bottom = 40;

    public static string Draw(IReadOnlyList<StateComparison> states, IReadOnlyList<double> shares)
    {
        var svg = new Svg(Width, Height, "relative error of the hidden state after each layer");
        double most = states.Select(state => state.RelativeError).Where(double.IsFinite).DefaultIfEmpty(0).Max();
        var x = new Axis(0, states.Count, Left, Width - Right);
        var y = new Axis(0, most > 0 ? most * 1.08 : 1, Height - Bottom, Top);
        foreach (double tick in y.Ticks(5))
        {
            svg.Line(Left, y.Place(tick), Width - Right, y.Place(tick), "grid");
            svg.Text(Left - 6, y.Place(tick) + 4, ChartText.Percent(tick), "end");
        }

        double room = x.Place(1) - x.Place(0), gap = Math.Min(room * 0.3, 8);
        for (int i = 0; i < states.Count; i++)
        {
            // Bars share the picture with the line: a share of one reaches to its top.
            double top = Height - Bottom - (shares[i] * (Height - Bottom - Top));
            svg.Rect(x.Place(i) + (gap / 2), top, room - gap, Height - Bottom - top, "bar", Tip(states, shares, i));
        }

        svg.Polyline(states.Select((state, i) => (x.Place(i + 0.5), y.Place(double.IsFinite(state.RelativeError) ? state.RelativeError : most))), "theory");
        svg.Line(Left, Height - Bottom, Width - Right, Height - Bottom, "base");
        foreach (double tick in new Axis(0, states.Count - 1, 0, 1).Ticks(10).Where(tick => tick % 1 == 0)) svg.Text(x.Place(tick + 0.5), Height - Bottom + 17, ChartText.Short(tick));
        svg.Text((Left + Width - Right) / 2, Height - 5, "state: 0 after the embedding, then after each layer");
        return svg.ToString();
    }

    private static string Tip(IReadOnlyList<StateComparison> states, IReadOnlyList<double> shares, int index) =>
        $"{EvaluationText.StateName(states[index].State, states[^1].State)}: error {EvaluationText.Percent(states[index].RelativeError)}, "
        + $"cosine {EvaluationText.Number(states[index].Cosine)}, {EvaluationText.Percent(shares[index])} of the growth";
}
