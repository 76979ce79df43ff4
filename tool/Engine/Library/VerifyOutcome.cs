namespace Bnb.Engine.Library;

/// <summary>What a verification found.</summary>
/// <param name="Passed">The verdict.</param>
/// <param name="Layers">Layers that were compared.</param>
/// <param name="Codes">Codes that were compared.</param>
/// <param name="CodesDiffering">Those that differ for a reason that matters.</param>
/// <param name="Findings">Why it did not pass, then remarks: a sentence each.</param>
public sealed record VerifyOutcome(bool Passed, int Layers, long Codes, long CodesDiffering, IReadOnlyList<string> Findings);
