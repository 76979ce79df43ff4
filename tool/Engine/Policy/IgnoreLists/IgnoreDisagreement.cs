namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>One kind of contradiction in one reader.</summary>
/// <param name="Reader">The reader; null when it holds for all (<see cref="IgnoreProblem.Unreadable"/>).</param>
/// <param name="Problem">The contradiction.</param>
/// <param name="Count">Modules or entries concerned.</param>
/// <param name="First">The ordinally first of them, text from the file.</param>
internal sealed record IgnoreDisagreement(IgnoreReader? Reader, IgnoreProblem Problem, int Count, string First);
