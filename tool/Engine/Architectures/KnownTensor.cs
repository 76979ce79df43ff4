namespace Bnb.Engine.Architectures;

/// <summary>A tensor of a checkpoint that the atlas knows.</summary>
/// <param name="Part">The class it belongs to, and where in the checkpoint that is.</param>
/// <param name="Facts">What loaders make of it.</param>
/// <param name="Name">Its name in the checkpoint.</param>
/// <param name="IsOutsideLanguage">In a model that generates and has a language model of its own: not a part of that.</param>
internal sealed record KnownTensor(KnownPart Part, SavedTensor Facts, string Name, bool IsOutsideLanguage)
{
    /// <summary>The class it belongs to.</summary>
    public ModelClass Class => Part.Class;

    /// <summary>
    /// Its full name in memory for one of the class's loaders, numbers filled in; <see cref="Name"/> itself where they are equal.
    /// Made at each call: to hold them for every tensor would cost more than all else about it.
    /// </summary>
    public string MemoryName(int loader)
    {
        if (Facts.MemoryNames[loader] is { } pattern)
            return Part.MemoryPrefix + NumberedName.Fill(pattern, NumberedName.Numbers(Name[Part.Prefix.Length..]));
        return Part.MemoryPrefix.Length == Part.Prefix.Length && Part.Added.Length == 0 && Name.StartsWith(Part.MemoryPrefix, StringComparison.Ordinal)
            ? Name
            : Part.MemoryPrefix + Part.OwnName(Name);
    }
}
