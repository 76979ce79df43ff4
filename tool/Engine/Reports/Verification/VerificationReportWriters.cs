using Bnb.Engine.Errors;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The report formats, chosen by the extension of the file that <c>--report</c> names.</summary>
internal static class VerificationReportWriters
{
    private static readonly Dictionary<string, IVerificationReportWriter> ByExtension = new(StringComparer.OrdinalIgnoreCase)
    {
        [".json"] = new JsonReportWriter(),
        [".xml"] = new JunitReportWriter(),
        [".md"] = new MarkdownReportWriter(),
        [".html"] = new HtmlReportWriter(),
    };

    /// <summary>The extensions there are, with their dots.</summary>
    public static IReadOnlyCollection<string> Extensions => ByExtension.Keys;

    /// <summary>The writer for a file of that name; the file need not exist.</summary>
    /// <exception cref="UserErrorException">REPORT-FORMAT: no format has this extension.</exception>
    public static IVerificationReportWriter ForFile(string path)
    {
        string extension = Path.GetExtension(path);
        if (ByExtension.TryGetValue(extension, out IVerificationReportWriter? writer)) return writer;
        throw new UserErrorException(
            ExitCode.Usage,
            "REPORT-FORMAT",
            extension.Length == 0 ? "a report needs a file name with an extension" : $"there is no report format {extension}")
        {
            File = path,
            Facts = [("--report", path), ("formats", ".json, .xml (JUnit), .md and .html")],
            Action = "end the file name in .json, .xml, .md or .html",
        };
    }
}
