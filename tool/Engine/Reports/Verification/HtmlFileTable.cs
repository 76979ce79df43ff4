using Bnb.Engine.Verifying;
using static Bnb.Engine.Reports.Verification.VerificationText;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The command and the files of the HTML report, by which it can be repeated and held against a folder later.</summary>
internal static class HtmlFileTable
{
    private const int MostRows = 500;

    public static void Write(VerificationReport report, TextWriter output)
    {
        if (report.Command is null && report.QuantizedFiles.Count + report.SourceFiles.Count == 0) return;
        output.Write("<section class=\"card\">\n<h2>What was verified</h2>\n");
        if (report.Command is { } command) output.Write($"<p class=\"command\"><code>{HtmlText.Name(command)}</code></p>\n");
        output.Write("""
            <div class="scroll">
            <table>
            <thead><tr><th class="name">file</th><th>bytes</th><th class="name">SHA-256</th></tr></thead>

            """.ReplaceLineEndings("\n"));
        WriteFiles("quantized", report.QuantizedFiles, output);
        WriteFiles("source", report.SourceFiles, output);
        output.Write("</table>\n</div>\n</section>\n");
    }

    private static void WriteFiles(string side, IReadOnlyList<VerifiedFile> files, TextWriter output)
    {
        output.Write("<tbody class=\"files\">\n");
        foreach (VerifiedFile file in files.Take(MostRows))
        {
            string hash = file.Sha256 is { } content ? content : file.HeaderSha256 + " (header)";
            output.Write($"<tr><td class=\"name\"><code>{HtmlText.Name(file.Name)}</code><small>{side}</small></td>"
                + $"<td>{Count(file.Bytes)}</td><td class=\"name\"><code>{hash}</code></td></tr>\n");
        }

        if (files.Count > 1)
        {
            string more = files.Count > MostRows ? $", the first {Count(MostRows)} shown" : "";
            output.Write($"<tr><td class=\"name\">{side}, {Count(files.Count, "file")}{more}</td><td>{Count(files.Sum(static file => file.Bytes))}</td><td></td></tr>\n");
        }

        output.Write("</tbody>\n");
    }
}
