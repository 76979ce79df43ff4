using System.Globalization;
using System.Text;

namespace Bnb.Engine.Reports.Verification;

/// <summary>A picture as inline SVG. Colours come from the page's style sheet, so that it follows light and dark.</summary>
internal sealed class Svg(double width, double height, string description)
{
    private readonly StringBuilder _body = new();

    public void Rect(double x, double y, double wide, double high, string style, string? tip = null)
    {
        _body.Append($"<rect class=\"{style}\" x=\"{At(x)}\" y=\"{At(y)}\" width=\"{At(wide)}\" height=\"{At(high)}\"");
        Close("rect", tip);
    }

    public void Circle(double x, double y, double radius, string style, string? tip = null)
    {
        _body.Append($"<circle class=\"{style}\" cx=\"{At(x)}\" cy=\"{At(y)}\" r=\"{At(radius)}\"");
        Close("circle", tip);
    }

    public void Line(double x1, double y1, double x2, double y2, string style) =>
        _body.Append($"<line class=\"{style}\" x1=\"{At(x1)}\" y1=\"{At(y1)}\" x2=\"{At(x2)}\" y2=\"{At(y2)}\"/>\n");

    public void Polyline(IEnumerable<(double X, double Y)> points, string style) =>
        _body.Append($"<polyline class=\"{style}\" points=\"{string.Join(' ', points.Select(p => $"{At(p.X)},{At(p.Y)}"))}\"/>\n");

    /// <param name="anchor">start, middle or end.</param>
    /// <param name="turn">Degrees around the text's own position.</param>
    public void Text(double x, double y, string text, string anchor = "middle", double turn = 0, string style = "axis")
    {
        string turned = turn == 0 ? "" : $" transform=\"rotate({At(turn)} {At(x)} {At(y)})\"";
        _body.Append($"<text class=\"{style}\" x=\"{At(x)}\" y=\"{At(y)}\" text-anchor=\"{anchor}\"{turned}>{HtmlText.Encode(text)}</text>\n");
    }

    public override string ToString() =>
        $"<svg viewBox=\"0 0 {At(width)} {At(height)}\" role=\"img\" aria-label=\"{HtmlText.Encode(description)}\">\n{_body}</svg>\n";

    private void Close(string element, string? tip) =>
        _body.Append(tip is null ? "/>\n" : $"><title>{HtmlText.Encode(tip)}</title></{element}>\n");

    // A tenth of a unit is finer than any screen shows, and keeps thousands of marks short.
    private static string At(double value) => value.ToString("0.#", CultureInfo.InvariantCulture);
}
