using System.Globalization;
using System.Text;
using Bnb.Engine.Planning;

namespace Bnb.Engine.Reports;

/// <summary>Error against size as an SVG picture: all that can be had, what was chosen, and the recipe without overrides.</summary>
internal static class PlanPlot
{
    private const int Width = 640;
    private const int Height = 400;
    private const int Left = 70;
    private const int Bottom = 50;
    private const int Top = 20;
    private const int Right = 20;

    public static string Of(PlanSummary summary)
    {
        double most = summary.Curve.Max(point => point.Error), largest = summary.Curve.Max(point => point.Bytes), smallest = summary.Curve.Min(point => point.Bytes);
        most = Math.Max(most, summary.Uniform.Error) * 1.05;
        smallest = Math.Min(smallest, summary.Uniform.Bytes);
        double range = Math.Max(1, largest - smallest);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"13\">\n");
        svg.Append("<style>text{fill:#222}.axis{stroke:#888}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<path class=\"axis\" fill=\"none\" d=\"M{Left} {Top}V{Height - Bottom}H{Width - Right}\"/>\n");
        for (int tick = 0; tick <= 4; tick++)
        {
            double error = most * tick / 4, bytes = smallest + (range * tick / 4);
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 8}\" y=\"{Y(error) + 4:F1}\" text-anchor=\"end\">{error * 100:F1} %</text>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(bytes):F1}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{Text.ByteSize.Format((long)bytes)}</text>\n");
        }

        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Width / 2}\" y=\"{Height - 8}\" text-anchor=\"middle\">weight files</text>\n");
        string line = string.Join(' ', summary.Curve.Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(point.Bytes):F1},{Y(point.Error):F1}")));
        svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"#2a78c0\" stroke-width=\"2\" points=\"{line}\"/>\n");
        Mark(summary.Uniform.Bytes, summary.Uniform.Error, "#c0572a", $"uniform {summary.Output.Type}", -14);
        Mark(summary.Bytes, summary.ExpectedError, "#2a9d3a", "this recipe", 22);
        return svg.Append("</svg>\n").ToString();

        double X(double bytes) => Left + ((bytes - smallest) / range * (Width - Left - Right));
        double Y(double error) => Height - Bottom - (error / most * (Height - Bottom - Top));
        void Mark(long bytes, double error, string colour, string label, int below)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(bytes):F1}\" cy=\"{Y(error):F1}\" r=\"5\" fill=\"{colour}\"/>\n");
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{X(bytes) + 9:F1}\" y=\"{Y(error) + below:F1}\">{label}</text>\n");
        }
    }
}
