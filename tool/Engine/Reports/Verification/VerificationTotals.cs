using Bnb.Engine.Verifying;

namespace Bnb.Engine.Reports.Verification;

/// <summary>What all formats say about a run as a whole.</summary>
/// <param name="CheckpointFailures">Failing findings that belong to no layer.</param>
/// <param name="AbsmaxDiffering">Over all layers, excused ones not counted.</param>
/// <param name="MedianError">Of the layers' relative weight errors, NaN without layers.</param>
/// <param name="Worst">Largest relative weight error; NaN counts as the largest.</param>
/// <param name="WorstProduct">Largest error of Y over the original weights; null when no product was run.</param>
/// <param name="WorstKernel">Largest error of Y over the decoded weights; null when no product was run.</param>
/// <param name="WorstBoundUse">Largest share of the derived bound; null when no product was run.</param>
internal sealed record VerificationTotals(
    int Checked,
    int Failed,
    int CheckpointFailures,
    long CodesExcused,
    long AbsmaxDiffering,
    double MedianError,
    LayerResult? Worst,
    LayerResult? WorstProduct,
    LayerResult? WorstKernel,
    LayerResult? WorstBoundUse)
{
    public static VerificationTotals Of(VerificationReport report)
    {
        IReadOnlyList<LayerResult> layers = report.Layers;
        return new VerificationTotals(
            layers.Count,
            layers.Count(static layer => !layer.Passed),
            report.Findings.Count(static finding => finding.Fails),
            layers.Sum(static layer => layer.Faithfulness.CodesExcused),
            layers.Sum(static layer => layer.Faithfulness.AbsmaxDiffering),
            Median([.. layers.Select(static layer => LayerOrder.Badness(layer.Weight.RelativeRmse))]),
            layers.MaxBy(static layer => LayerOrder.Badness(layer.Weight.RelativeRmse)),
            WorstGemm(layers, static gemm => gemm.TotalRelativeError),
            WorstGemm(layers, static gemm => gemm.KernelRelativeError),
            WorstGemm(layers, static gemm => gemm.KernelBoundUse));
    }

    private static LayerResult? WorstGemm(IEnumerable<LayerResult> layers, Func<GemmError, double> error) =>
        layers.Where(static layer => layer.Gemm is not null).MaxBy(layer => LayerOrder.Badness(error(layer.Gemm!)));

    private static double Median(double[] values)
    {
        if (values.Length == 0) return double.NaN;
        Array.Sort(values);
        int middle = values.Length / 2;
        return values.Length % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    }
}
