using Bnb.Engine.Errors;
using Bnb.Engine.Text;
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
        foreach (string path in paths) ReportFile.CheckPlace(path);
    }

    /// <param name="written">Called with the path of each file that is there.</param>
    public void Write(VerificationReport report, Action<string> written)
    {
        foreach ((string path, IVerificationReportWriter writer) in _writers)
        {
            ReportFile.Write(path, text => writer.Write(report, text));
            written(path);
        }
    }
}
