using System.Globalization;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Evaluating.Measures;

namespace Bnb.Engine.Reports.Evaluation;

/// <summary>The figures of an evaluation in words, shared by screen, page and test report.</summary>
internal static class EvaluationText
{
    /// <summary>What is said first.</summary>
    public static string Verdict(EvaluationReport report) => report.Passed
        ? $"perplexity {Number(report.Result.QuantizedPerplexity)} ({Change(report.Result.PerplexityRatio)}), mean KL divergence {Number(report.Result.Divergence.Mean)}"
        : "FAILED: " + string.Join("; ", report.Exceeded);

    /// <summary>Every figure but those of layers, with its label.</summary>
    public static IReadOnlyList<(string Label, string Value)> Facts(EvaluationResult result)
    {
        Distribution kl = result.Divergence;
        return
        [
            ("tokens", string.Create(CultureInfo.InvariantCulture, $"{result.Tokens:N0} in {result.Contexts:N0} contexts")),
            ("perplexity", $"{Number(result.ReferencePerplexity)} source, {Number(result.QuantizedPerplexity)} quantized ({Change(result.PerplexityRatio)})"),
            ("KL divergence", $"mean {Number(kl.Mean)} ± {Number(kl.StandardError)}, median {Number(kl.Median)}, largest {Number(kl.Maximum)}"),
            ("KL percentiles", $"90 % {Number(kl.P90)}, 95 % {Number(kl.P95)}, 99 % {Number(kl.P99)}, 99.9 % {Number(kl.P999)}"),
            ("same top token", Percent(result.Top1)),
            ("shared top five", Percent(result.Top5)),
            ("right token", $"probability changes by {Percent(result.ProbabilityRms)} RMS, {Percent(result.ProbabilityMean)} on average"),
        ];
    }

    /// <summary>What a state is called.</summary>
    /// <param name="last">The number of the last one.</param>
    public static string StateName(int state, int last) => state == 0 ? "embedding" : state == last ? $"layer {state - 1} and norm" : $"layer {state - 1}";

    /// <summary>Up to five significant digits.</summary>
    public static string Number(double value) => value.ToString("G5", CultureInfo.InvariantCulture);

    /// <summary>A share in percent.</summary>
    public static string Percent(double share) => (share * 100).ToString("0.##;-0.##;0", CultureInfo.InvariantCulture) + " %";

    private static string Change(double ratio) => ((ratio - 1) * 100).ToString("+0.##;-0.##;0", CultureInfo.InvariantCulture) + " %";
}
