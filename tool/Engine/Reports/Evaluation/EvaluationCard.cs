using System.Text;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>An evaluation as a section of the output's model card.</summary>
internal static class EvaluationCard
{
    /// <summary>What the section is called.</summary>
    public const string Name = "evaluate";

    /// <summary>Markdown.</summary>
    /// <param name="textFile">The name of the file that was read; null for the sample text.</param>
    public static string Of(EvaluationReport report, string? textFile)
    {
        var card = new StringBuilder("## Evaluated beside the original\n\n| | |\n| --- | --- |\n");
        foreach ((string label, string value) in EvaluationText.Facts(report.Result)) card.Append($"| {label} | {value} |\n");
        return card.Append($"| text | {(textFile is null ? "the sample text" : MarkdownText.Code(textFile))} |\n| measured with | {ToolVersion.Name}, `dotnet bnb evaluate` |\n").ToString();
    }
}
