namespace Bnb.Engine.Verifying;

/// <summary>Limits for one layer; null means the default that theory gives for its type and block size.</summary>
/// <param name="MaxRelativeError">Of weights and of products over the original weights (relative RMSE, 0.1 is 10 %).</param>
/// <param name="MinSnr">Of weights, dB.</param>
/// <param name="MaxKernelError">Relative RMSE of the product over the decoded weights.</param>
/// <param name="MaxCodeDiffs">Differing codes.</param>
internal sealed record Thresholds(double? MaxRelativeError, double? MinSnr, double? MaxKernelError, long? MaxCodeDiffs)
{
    public static Thresholds FromTheory { get; } = new(null, null, null, null);

    /// <summary>This one's limits where it has them, else the other's.</summary>
    public Thresholds Or(Thresholds other) => new(
        MaxRelativeError ?? other.MaxRelativeError,
        MinSnr ?? other.MinSnr,
        MaxKernelError ?? other.MaxKernelError,
        MaxCodeDiffs ?? other.MaxCodeDiffs);
}
