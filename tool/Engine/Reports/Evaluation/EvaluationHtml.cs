using Bnb.Engine.Evaluating;
using Bnb.Engine.Evaluating.Measures;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Text;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>The evaluation as one web page without scripts, images or links.</summary>
internal static class EvaluationHtml
{
    public static void Write(EvaluationReport report, TextWriter output)
    {
        EvaluationResult result = report.Result;
        HtmlPage.WriteHead("evaluate", report.Passed, "Evaluated", EvaluationText.Verdict(report), result.Quantized, result.Source, output);
        WriteTiles(result, output);
        output.Write($"<section class=\"card\">\n<h2>Where the damage grows</h2>\n<p class=\"note\">Line: relative error of the hidden state. "
            + $"Bars: each layer's share of the growth of the squared error.</p>\n<div class=\"scroll wide\">\n{GrowthChart.Draw(result.States, result.Shares)}</div>\n</section>\n");
        WriteTable(result, output);
        HtmlPage.WriteFoot($"{ToolVersion.Name}, {HtmlText.Name(result.ModelType)}, {EvaluationText.Number(result.Seconds)} s", output);
    }

    private static void WriteTiles(EvaluationResult result, TextWriter output)
    {
        output.Write("<div class=\"tiles\">\n");
        foreach ((string label, string value) in EvaluationText.Facts(result))
            HtmlPage.WriteTile(label, value, bad: false, output);
        output.Write("</div>\n");
    }

    private static void WriteTable(EvaluationResult result, TextWriter output)
    {
        output.Write("<section class=\"card\">\n<h2>Hidden states</h2>\n<div class=\"scroll\">\n<table>\n"
            + "<tr><th class=\"name\">state</th><th>cosine</th><th>relative error</th><th>share</th></tr>\n");
        foreach ((StateComparison state, double share) in result.States.Zip(result.Shares))
        {
            output.Write($"<tr><td class=\"name\">{HtmlText.Encode(EvaluationText.StateName(state.State, result.States[^1].State))}</td>"
                + $"<td>{EvaluationText.Number(state.Cosine)}</td><td>{EvaluationText.Percent(state.RelativeError)}</td><td>{EvaluationText.Percent(share)}</td></tr>\n");
        }

        output.Write("</table>\n</div>\n</section>\n");
    }
}
