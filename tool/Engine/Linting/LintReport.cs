using Bnb.Engine.Architectures;

namespace Bnb.Engine.Linting;

/// <summary>What one library makes of a checkpoint.</summary>
internal sealed record ConsumerVerdict(LoadTarget Consumer, IReadOnlyList<LintFinding> Findings)
{
    public bool Loads => Findings.All(static finding => finding.Level != LintLevel.Error);

    /// <summary><c>loads</c>, <c>loads with warnings</c> or <c>does not load</c>.</summary>
    public string Word => !Loads ? "does not load" : Findings.Any(static finding => finding.Level == LintLevel.Warning) ? "loads with warnings" : "loads";
}

/// <summary>A checkpoint judged by the rules of the libraries that may load it.</summary>
/// <param name="Path">As given.</param>
/// <param name="Types">Data types of the quantized weights.</param>
/// <param name="ClassName">The model's class as the atlas knows it; null when it does not.</param>
/// <param name="QuantizedCount">Quantized weights.</param>
/// <param name="Consumers">One verdict for each library that was asked for.</param>
internal sealed record LintReport(
    string Path, IReadOnlyList<string> Types, string? ClassName, int QuantizedCount, IReadOnlyList<ConsumerVerdict> Consumers)
{
    /// <summary>The component of a pipeline; null for a model.</summary>
    public string? Component { get; init; }

    public bool Passed => Consumers.All(static verdict => verdict.Loads);
}
