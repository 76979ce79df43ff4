namespace Bnb.Tool.Policy.SkipLists;

/// <summary>A copied module that every consumer must skip.</summary>
/// <param name="Module">The module.</param>
/// <param name="Hint">Component that the deciding rule recognised, the first choice for an entry.</param>
internal sealed record SkipNeed(ModuleName Module, string? Hint);
