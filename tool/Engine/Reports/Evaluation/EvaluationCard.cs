using System.Text;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>An evaluation as a section of the output's model card.</summary>
internal static class EvaluationCard
{
    /// <summary>What the section is called.</summary>
    public const string Name = "evaluate";

    /// <summary>Markdown.</summary>
    /// <param name="text">What was read, in a word or two.</param>
    public static string Of(EvaluationReport report, string text)
    {
        var card = new StringBuilder("## Evaluated beside the original\n\n| | |\n| --- | --- |\n");
        foreach ((string label, string value) in EvaluationText.Facts(report.Result)) card.Append($"| {label} | {value} |\n");
        return card.Append($"| text | {text} |\n| measured with | {ToolVersion.Name}, `dotnet bnb evaluate` |\n").ToString();
    }
}
