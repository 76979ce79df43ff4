namespace Bnb.Engine.Evaluating;

/// <summary>An evaluation and its verdict.</summary>
/// <param name="Exceeded">Limits that were exceeded, one sentence each; none for a pass.</param>
internal sealed record EvaluationReport(EvaluationResult Result, IReadOnlyList<string> Exceeded)
{
    /// <summary>Whether every limit was kept.</summary>
    public bool Passed => Exceeded.Count == 0;
}
