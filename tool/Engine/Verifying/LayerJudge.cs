using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Tensors;
using Bnb.Quant.Gemm;
using Bnb.Quant.Numerics;
using static System.FormattableString;

namespace Bnb.Engine.Verifying;

/// <summary>Numbers to a verdict: the limits of theory or of the user, and what differences look like.</summary>
internal static class LayerJudge
{
    /// <summary>
    /// Real weights have heavier tails than the normal ones of the theory, which costs up to about a third; half as much
    /// again is something else.
    /// </summary>
    public const double TheoryMargin = 1.5;

    public static LayerResult Judge(LayerRun run, PanelResult panels, ElementType computeType, int tokens, Thresholds limits)
    {
        var weight = run.Layer.Weight;
        double expected = run.ExpectedError;
        string? offsetProblem = run.OffsetProblem;
        bool offsetOff = offsetProblem is not null;
        var faithfulness = new Faithfulness(
            panels.Compared,
            panels.Codes.Differing,
            panels.Codes.Excused,
            run.ScaleCount,
            panels.Codes.Blocks,
            panels.Absmax.Differing + (offsetOff ? 1 : 0),
            panels.Absmax.Excused,
            panels.Codes.First,
            Cause(panels, run.ScaleCount, offsetOff, run));
        var error = new WeightError(
            panels.Weight.RelativeRmse, panels.Weight.SnrDecibels, panels.Weight.MaxAbsoluteError, panels.Weight.Cosine, expected,
            limits.MaxRelativeError ?? TheoryMargin * expected);
        GemmError? gemm = tokens == 0 ? null : new GemmError(
            tokens,
            FloatTypes.Name(computeType),
            panels.Total.RelativeRmse,
            panels.Total.SnrDecibels,
            panels.Kernel.RelativeRmse,
            panels.KernelBoundUse,
            run.ActivationError);
        return new LayerResult(
            weight.Name,
            weight.Type,
            Blocksize(weight),
            weight is BnbWeight { IsNested: true },
            (weight as Int4Weight)?.IsSymmetric,
            weight.Rows,
            weight.Columns,
            faithfulness,
            error,
            gemm,
            new Histograms(panels.CodeUse, panels.ErrorCounts),
            [.. Findings(faithfulness, error, gemm, panels, offsetProblem, run, limits, computeType).OrderByDescending(finding => finding.Fails)]);
    }

    private static IEnumerable<Finding> Findings(
        Faithfulness stored, WeightError error, GemmError? gemm, PanelResult panels, string? offsetProblem, LayerRun run, Thresholds limits, ElementType computeType)
    {
        long allowedDiffs = limits.MaxCodeDiffs ?? 0;
        if (stored.CodesDiffering > allowedDiffs)
        {
            yield return new Finding(
                "code-diffs",
                $"{ByteSize.Exact(stored.CodesDiffering)} of {ByteSize.Exact(stored.Codes)} codes differ in {ByteSize.Exact(stored.BlocksDiffering)} blocks, first at value {stored.FirstDifference}, allowed {ByteSize.Exact(allowedDiffs)}: {Words(stored.Cause)}",
                Fails: true);
        }

        if (!run.HasStandardTables)
            yield return new Finding("structure", "the stored code tables are not those of the type: loaders decode other values than the tables say", Fails: true);
        if (panels.Search.Beaten > 0)
            yield return new Finding("scale-search", $"{ByteSize.Exact(panels.Search.Beaten)} of {ByteSize.Exact(panels.Search.Proven)} sampled blocks have a better scale than the stored one", Fails: true);
        if (offsetProblem is not null) yield return new Finding("absmax-diffs", offsetProblem, Fails: true);
        long scales = stored.AbsmaxDiffering - (offsetProblem is null ? 0 : 1);
        if (scales > 0)
            yield return new Finding("absmax-diffs", $"{ByteSize.Exact(scales)} {(run.Layer.Weight is Int4Weight ? "scales or zero points" : "absmax values")} differ: {Words(stored.Cause)}", Fails: scales > allowedDiffs);
        if (stored.CodesExcused + stored.AbsmaxExcused > 0)
        {
            yield return new Finding(
                "code-diffs", $"{ByteSize.Exact(stored.CodesExcused)} codes and {ByteSize.Exact(stored.AbsmaxExcused)} absmax codes differ as the paths of bitsandbytes do (ties, zero blocks)", Fails: false);
        }

        // Where every code is what the definition makes of the source, an error beyond theory is the source's own (outliers
        // that stretch their blocks), not a fault of the file: said, but only a limit the user set can fail it.
        bool faithful = stored.CodesDiffering == 0 && stored.AbsmaxDiffering == 0;
        bool fails = !faithful || limits.MaxRelativeError is not null;
        string why = fails ? "" : "; every code is right, so the weights themselves are far from normal";
        double maxError = error.Limit;
        if (!(error.RelativeRmse <= maxError))
            yield return new Finding("rel-error", Invariant($"relative weight error {error.RelativeRmse:P2}, limit {maxError:P2}, theory {error.Expected:P2}{why}"), fails);
        // The metrics are over finite pairs only: one NaN among good values would leave them as they are.
        if (panels.Weight.NonFinite > 0)
            yield return new Finding("rel-error", $"{ByteSize.Exact(panels.Weight.NonFinite)} weights are not finite, decoded or in the source", Fails: true);
        // By default the same limit in other words, which one finding says well enough.
        if (limits.MinSnr is { } minSnr && !(error.SnrDb >= minSnr))
            yield return new Finding("min-snr", Invariant($"signal to noise {error.SnrDb:F2} dB, at least {minSnr:F2} dB wanted"), Fails: true);
        if (gemm is null) yield break;

        // Quantized activations add an error of their own, independent of the weights'.
        double maxProduct = Math.Sqrt((maxError * maxError) + (TheoryMargin * TheoryMargin * run.ActivationError * run.ActivationError));
        // Of weights far from normal it says nothing that the weights' own error does not.
        if (!(gemm.TotalRelativeError <= maxProduct) && (fails || error.RelativeRmse <= maxError))
            yield return new Finding("gemm-error", Invariant($"relative error of the product {gemm.TotalRelativeError:P2}, limit {maxProduct:P2}{why}"), fails);
        if (panels.Total.NonFinite > 0)
            yield return new Finding("gemm-error", $"{ByteSize.Exact(panels.Total.NonFinite)} products are not finite in {gemm.ComputeDType}", Fails: true);
        if (!(gemm.KernelBoundUse <= 1))
            yield return new Finding("kernel-error", Invariant($"the kernel's error is {gemm.KernelBoundUse:G3} times its derived bound"), Fails: true);
        double maxKernel = limits.MaxKernelError ?? GemmBounds.UnitRoundoff(computeType);
        if (!(gemm.KernelRelativeError <= maxKernel))
            yield return new Finding("kernel-error", Invariant($"relative error of the kernel {gemm.KernelRelativeError:P3}, allowed {maxKernel:P3}"), Fails: true);
    }

    /// <summary>What the differences look like; null when there are none.</summary>
    private static string? Cause(PanelResult panels, long blocks, bool offsetOff, LayerRun run)
    {
        long codes = panels.Codes.Differing, scales = panels.Absmax.Differing;
        if (codes == 0 && scales == 0) return offsetOff ? "nested-offset" : null;
        bool mostBlocks = panels.Codes.Blocks > blocks / 2, mostScales = scales > blocks / 2;
        if (codes == 0 && offsetOff) return "nested-offset";
        if (codes == 0 && mostScales) return "scale-rule";
        // A layer of few or large blocks has most of them hit by a byte or two: another source or rule changes more codes.
        if (!mostBlocks || codes <= Math.Max(2, panels.Compared / 256)) return "damaged";
        if (panels.Codes.ByOne > codes * 9 / 10) return "scale-rule";
        return run.LooksTransposed() ? "transposed" : "wrong-source";
    }

    private static string Words(string? cause) => cause switch
    {
        "wrong-source" => "as if made from other weights",
        "transposed" => "made from these weights transposed",
        "scale-rule" => "as if made with another rule for scales or rounding (--scale says which)",
        "nested-offset" => "the nested offset is off",
        "damaged" => "isolated, as if bytes were damaged or changed",
        _ => "no cause found",
    };

    /// <summary>Values that share a scale; null where that is the whole row.</summary>
    private static long? Blocksize(QuantizedWeight weight) => weight switch
    {
        BnbWeight blockwise => blockwise.State.Blocksize,
        Int4Weight groups => groups.GroupSize,
        _ => null,
    };
}
