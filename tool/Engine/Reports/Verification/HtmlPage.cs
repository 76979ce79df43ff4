namespace Bnb.Engine.Reports.Verification;

/// <summary>The frame of every report that is a web page: one file without scripts, images or links, which forbids itself to load or run anything.</summary>
internal static class HtmlPage
{
    /// <summary>Everything up to the first tile.</summary>
    /// <param name="command">The command of the tool that the page reports on.</param>
    /// <param name="word">What the title says of a passed one.</param>
    /// <param name="verdict">Escaped for display.</param>
    /// <param name="quantized">Path as given.</param>
    /// <param name="source">Path as given.</param>
    public static void WriteHead(string command, bool passed, string word, string verdict, string quantized, string source, TextWriter output) => output.Write($"""
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>{(passed ? word : "FAILED")}: {HtmlText.Name(Path.GetFileName(Path.TrimEndingDirectorySeparator(quantized)))}</title>
        <style>
        {HtmlStyle.Css}
        </style>
        </head>
        <body>
        <main>
        <p class="eyebrow">dotnet bnb {command}</p>
        <h1 class="{(passed ? "good" : "fail")}">{HtmlText.Encode(verdict)}</h1>
        <p class="paths"><code>{HtmlText.Name(quantized)}</code> against <code>{HtmlText.Name(source)}</code></p>

        """.ReplaceLineEndings("\n"));

    /// <summary>A figure and what it is, both escaped for display.</summary>
    public static void WriteTile(string value, string label, bool bad, TextWriter output) => output.Write(
        $"<div class=\"tile\"><b{(bad ? " class=\"fail\"" : "")}>{HtmlText.Encode(value)}</b><span>{HtmlText.Encode(label)}</span></div>\n");

    /// <param name="text">HTML.</param>
    public static void WriteFoot(string text, TextWriter output) => output.Write($"<footer>{text}</footer>\n</main>\n</body>\n</html>\n");
}
