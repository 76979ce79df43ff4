using System.Globalization;
using System.Text;
using Bnb.Engine.Errors;
using Bnb.Engine.Verifying;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The files that a verification is written to, their forms by their endings.</summary>
/// <exception cref="UserErrorException">An ending is unknown, or a file cannot be written there.</exception>
internal sealed class ReportFiles
{
    private readonly List<(string Path, IVerificationReportWriter Writer)> _writers;

    public ReportFiles(IReadOnlyList<string> paths)
    {
        _writers = [.. paths.Select(path => (path, VerificationReportWriters.ForFile(path)))];
        foreach (string path in paths) CheckPlace(path);
    }

    public void Write(VerificationReport report)
    {
        foreach ((string path, IVerificationReportWriter writer) in _writers)
        {
            using var text = new StringWriter(CultureInfo.InvariantCulture);
            writer.Write(report, text);
            // Beside it first: a reader of the old report never sees half of the new one.
            string temp = path + ".tmp";
            File.WriteAllText(temp, text.ToString(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
            File.Move(temp, path, overwrite: true);
        }
    }

    /// <summary>Only looks: a run that fails later must leave an earlier report as it was.</summary>
    private static void CheckPlace(string path)
    {
        string full = Path.GetFullPath(path);
        string? reason = Directory.Exists(full) ? "there is a folder of this name" : Directory.Exists(Path.GetDirectoryName(full)) ? null : "its folder does not exist";
        if (reason is null) return;
        throw new UserErrorException(ExitCode.OutputRefused, "REPORT-FILE", $"the report cannot be written: {reason}")
        {
            File = path,
            Action = "create the folder, or name another file",
        };
    }
}
