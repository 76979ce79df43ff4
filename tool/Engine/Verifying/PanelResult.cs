using Bnb.Quant.Metrics;

namespace Bnb.Engine.Verifying;

/// <summary>What one panel of a layer contributes; panels are merged in their order, whoever made them.</summary>
internal sealed class PanelResult
{
    public CodeComparison.Counts Codes { get; set; } = new(0, 0, 0, -1, 0);

    /// <summary>Codes compared.</summary>
    public long Compared { get; set; }

    public AbsmaxComparison.Counts Absmax { get; set; }

    public ErrorStats Weight { get; } = new();

    /// <summary>Products of the mixed kernel against those of the original weights.</summary>
    public ErrorStats Total { get; } = new();

    /// <summary>Products of the mixed kernel against those of the decoded weights.</summary>
    public ErrorStats Kernel { get; } = new();

    /// <summary>Where scales are searched: what that gains and whether it holds.</summary>
    public SearchTally Search { get; } = new();

    public double KernelBoundUse { get; set; }

    public long[] CodeUse { get; } = new long[16];

    public long[] ErrorCounts { get; } = new long[Histograms.ErrorBins];

    /// <summary>Adds the next panel's share.</summary>
    public void Merge(PanelResult next)
    {
        Codes = new CodeComparison.Counts(
            Codes.Differing + next.Codes.Differing,
            Codes.Excused + next.Codes.Excused,
            Codes.Blocks + next.Codes.Blocks,
            Codes.First >= 0 ? Codes.First : next.Codes.First,
            Codes.ByOne + next.Codes.ByOne);
        Absmax = new AbsmaxComparison.Counts(
            Absmax.Differing + next.Absmax.Differing,
            Absmax.Excused + next.Absmax.Excused,
            Absmax.NestedScalesDiffering + next.Absmax.NestedScalesDiffering);
        Compared += next.Compared;
        Weight.Merge(next.Weight);
        Total.Merge(next.Total);
        Kernel.Merge(next.Kernel);
        Search.Merge(next.Search);
        KernelBoundUse = Math.Max(KernelBoundUse, next.KernelBoundUse);
        for (int i = 0; i < CodeUse.Length; i++) CodeUse[i] += next.CodeUse[i];
        for (int i = 0; i < ErrorCounts.Length; i++) ErrorCounts[i] += next.ErrorCounts[i];
    }
}
