using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>The files that an evaluation is written to, their forms by their endings.</summary>
internal sealed class EvaluationFiles
{
    private readonly IReadOnlyList<string> _paths;

    /// <exception cref="UserErrorException">An ending is unknown, or a file cannot be written there.</exception>
    public EvaluationFiles(IReadOnlyList<string> paths)
    {
        _paths = paths;
        foreach (string path in paths)
        {
            _ = Writer(path);
            ReportFile.CheckPlace(path);
        }
    }

    /// <param name="written">Called with the path of each file that is there.</param>
    public void Write(EvaluationReport report, Action<string> written)
    {
        foreach (string path in _paths)
        {
            ReportFile.Write(path, text => Writer(path)(report, text));
            written(path);
        }
    }

    private static Action<EvaluationReport, TextWriter> Writer(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".json" => static (report, text) => text.Write(EvaluationJson.Of(report)),
        ".html" => EvaluationHtml.Write,
        ".xml" => EvaluationJunit.Write,
        _ => throw new UserErrorException(ExitCode.Usage, "USAGE", "a report's ending says its form, and this one is unknown")
        {
            File = path,
            Action = "name a file that ends with .json, .html or .xml (JUnit)",
        },
    };
}
