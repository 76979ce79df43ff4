
namespace Bnb.Engine.Comparing;

/// <summary>How a weight of one checkpoint relates to the other's.</summary>
internal enum DiffStatus
{
    Equal,

    /// <summary>Only in A.</summary>
    Removed,

    /// <summary>Only in B.</summary>
    Added,

    /// <summary>In both, and its form, its stored bytes or its values differ.</summary>
    Changed,
}

/// <summary>Everything found about one weight.</summary>
/// <param name="A">Null when only B has it.</param>
/// <param name="B">Null when only A has it.</param>
/// <param name="Changes">What differs in its form.</param>
/// <param name="Shape">Of the compared values; A's or B's own when there is nothing to compare.</param>
/// <param name="BytesEqual">Null when the two are stored in different forms and bytes say nothing.</param>
/// <param name="Parts">Of a packed pair: suffixes of the companions whose bytes differ.</param>
/// <param name="Codes">Null unless both are packed with one type and block size.</param>
/// <param name="Absmax">Null likewise.</param>
/// <param name="Values">Null when the two have no values in common.</param>
internal sealed record WeightDiff(
    string Name,
    DiffStatus Status,
    DiffWeight? A,
    DiffWeight? B,
    IReadOnlyList<FormChange> Changes,
    IReadOnlyList<long> Shape,
    bool? BytesEqual = null,
    IReadOnlyList<string>? Parts = null,
    CodeDrift? Codes = null,
    AbsmaxDrift? Absmax = null,
    ValueDrift? Values = null)
{
    /// <summary>For sorting: what cannot be measured is worse than what can.</summary>
    public double Severity => Status switch
    {
        DiffStatus.Equal => -1,
        DiffStatus.Added or DiffStatus.Removed => double.PositiveInfinity,
        _ when Values is null || Values.Error is { RelativeRmse: null } || Values.Error?.NonFinite > 0 => double.MaxValue,
        _ when Values.Error is { } error => error.RelativeRmse!.Value,
        // Integers have no error to speak of: their share of differing elements stands in.
        _ => (double)Values.Differing / Math.Max(1, Values.Count),
    };
}

/// <summary>4-bit codes of a pair.</summary>
/// <param name="First">Flat index of the first that differs, -1 when none does.</param>
internal sealed record CodeDrift(long Count, long Changed, long First);

/// <summary>Decoded absmax of a pair.</summary>
/// <param name="First">First block whose absmax differs, -1 when none does.</param>
/// <param name="MaxRelative">Largest |a - b| / max(|a|, |b|).</param>
/// <param name="MeanRelative">The same on average over all blocks.</param>
internal sealed record AbsmaxDrift(long Blocks, long Changed, long First, double MaxRelative, double MeanRelative);

/// <summary>Values of a pair.</summary>
/// <param name="Differing">
/// Values whose bits differ: of floats after widening to float32, so the two zeros differ and a NaN equals itself.
/// </param>
/// <param name="First">Flat index of the first of them, -1 when none differs.</param>
/// <param name="Error">Null for tensors that are not floating-point.</param>
internal sealed record ValueDrift(long Count, long Differing, long First, ValueError? Error);

/// <summary>B's values against A's, over the positions where both are finite or equal.</summary>
/// <param name="RelativeRmse">RMSE over the root mean square of A; null when A is all zero and B is not.</param>
/// <param name="NonFinite">Differing positions where NaN or infinity stands on one side; they have no difference to measure.</param>
internal sealed record ValueError(double MaxAbs, double Rmse, double? RelativeRmse, long NonFinite);
