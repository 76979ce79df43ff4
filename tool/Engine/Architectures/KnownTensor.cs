namespace Bnb.Engine.Architectures;

/// <summary>A tensor of a checkpoint that the atlas knows.</summary>
/// <param name="Class">The class it belongs to.</param>
/// <param name="Facts">What loaders make of it.</param>
/// <param name="MemoryNames">Its full names in memory, one for each of the class's loaders, numbers filled in.</param>
/// <param name="IsOutsideLanguage">In a model that generates and has a language model of its own: not a part of that.</param>
internal sealed record KnownTensor(
    ModelClass Class, SavedTensor Facts, IReadOnlyList<string> MemoryNames, bool IsOutsideLanguage);
