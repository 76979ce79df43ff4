namespace Bnb.Formats.HuggingFace;

/// <summary>Modules of a compressed-tensors checkpoint whose groups have one size.</summary>
/// <param name="GroupSize">Neighbouring values of a row that share a scale.</param>
/// <param name="Targets">Full names of modules, patterns after <c>re:</c>, or names of classes.</param>
public sealed record TargetedGroup(int GroupSize, IReadOnlyList<string> Targets);
