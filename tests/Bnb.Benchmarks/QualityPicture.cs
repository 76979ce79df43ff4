using System.Globalization;
using System.Text;

namespace Bnb.Benchmarks;

/// <summary>The 4-bit forms of the table of docs/quality.md as a picture: relative error of normal weights against bits.</summary>
internal static class QualityPicture
{
    private const double Width = 760, Height = 430, Left = 66, Right = 24, Top = 22, Bottom = 52;
    private const double LeastBits = 4, MostBits = 5.2, LeastError = 0.07, MostError = 0.13;

    // Readable on white and on black.
    private static readonly Dictionary<string, string> Colours = new()
    {
        ["nf4"] = "#3b6fd4",
        ["fp4"] = "#b8720a",
        ["int4"] = "#8a4fc0",
    };

    /// <param name="rows">Lines of the table below its head: form, bits, relative squared error of normal weights, others.</param>
    public static string Of(IEnumerable<string> rows)
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"relative error against bits per weight\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n");
        svg.Append("<style>text{fill:#333}.grid{stroke:#8884}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>\n");
        foreach (double bits in (double[])[4, 4.25, 4.5, 4.75, 5])
        {
            Line(X(bits), Top, X(bits), Height - Bottom);
            Text(X(bits), Height - Bottom + 18, Number(bits), "middle");
        }

        foreach (double error in (double[])[0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.13])
        {
            Line(Left, Y(error), Width - Right, Y(error));
            Text(Left - 8, Y(error) + 4, Number(error * 100) + " %", "end");
        }

        Text((Left + Width - Right) / 2, Height - 10, "bits per quantized weight, scales included", "middle");
        foreach (string row in rows)
        {
            string[] cells = row.Trim('|', ' ').Split(" | ");
            string name = cells[0].Trim(), type = name.Split(' ')[0];
            double bits = double.Parse(cells[1], CultureInfo.InvariantCulture), error = Math.Sqrt(double.Parse(cells[2], CultureInfo.InvariantCulture));
            bool searched = name.Contains("search", StringComparison.Ordinal), nested = name.Contains("double", StringComparison.Ordinal);
            if (!Colours.ContainsKey(type)) continue;
            string fill = searched ? "none" : Colours[type];
            svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(bits):F1}\" cy=\"{Y(error):F1}\" r=\"5\" fill=\"{fill}\" stroke=\"{Colours[type]}\" stroke-width=\"2\"><title>{name}: {Number(bits)} bits, {error * 100:F2} %</title></circle>\n");
            // Double quantization moves a mark to the left and hardly up, so the other one carries the name for both.
            if (!nested) Text(X(bits) + 10, Y(error) + 4, searched ? $"{name.Replace(" search", "", StringComparison.Ordinal)}, search" : name, "start");
        }

        Text(Width - Right, Top + 14, "full: scaled as bitsandbytes and llm-compressor do; empty: --scale search", "end");
        Text(Width - Right, Top + 32, "without a name: the same with double quantization", "end");
        return svg.Append("</svg>\n").ToString();

        void Line(double x1, double y1, double x2, double y2) =>
            svg.Append(CultureInfo.InvariantCulture, $"<path class=\"grid\" d=\"M{x1:F1} {y1:F1}L{x2:F1} {y2:F1}\"/>\n");
        void Text(double x, double y, string text, string anchor) =>
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:F1}\" y=\"{y:F1}\" text-anchor=\"{anchor}\">{text}</text>\n");
    }

    private static double X(double bits) => Left + ((bits - LeastBits) / (MostBits - LeastBits) * (Width - Left - Right));

    private static double Y(double error) => Top + ((1 - ((error - LeastError) / (MostError - LeastError))) * (Height - Top - Bottom));

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
