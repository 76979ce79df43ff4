namespace Bnb.Engine.Comparing;

/// <summary>The result of <c>diff</c>: values first, every output format is made from this.</summary>
/// <param name="Weights">Every weight that was looked at, equal ones included, in the order of names.</param>
internal sealed record DiffSummary(
    DiffRequest Request, IReadOnlyList<WeightDiff> Weights, TextDiff Config, TextDiff Metadata, TimeSpan Elapsed)
{
    public bool IsEqual => Config.IsEmpty && Metadata.IsEmpty && Differing.Count == 0;

    /// <summary>In the order of names.</summary>
    public IReadOnlyList<WeightDiff> Differing { get; } = [.. Weights.Where(weight => weight.Status != DiffStatus.Equal)];

    /// <summary>The pair with the largest relative error, null when no values differ.</summary>
    public WeightDiff? Worst => Differing
        .Where(weight => weight.Values?.Error is { } error && (error.RelativeRmse is null or > 0))
        .MaxBy(weight => weight.Values!.Error!.RelativeRmse ?? double.PositiveInfinity);
}
