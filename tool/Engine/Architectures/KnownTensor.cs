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
    /// Its full names in memory, one for each of the class's loaders, numbers filled in. Made at each call: to hold them for
    /// every tensor would cost more than all else about it.
    /// </summary>
    public IReadOnlyList<string> MemoryNames()
    {
        string own = Part.MemoryPrefix.Length == Part.Prefix.Length && Part.Added.Length == 0 && Name.StartsWith(Part.MemoryPrefix, StringComparison.Ordinal)
            ? Name
            : Part.MemoryPrefix + Part.OwnName(Name);
        string[] names = new string[Facts.MemoryNames.Count];
        IReadOnlyList<string>? numbers = null;
        for (int i = 0; i < names.Length; i++)
        {
            names[i] = Facts.MemoryNames[i] is { } pattern
                ? Part.MemoryPrefix + NumberedName.Fill(pattern, numbers ??= NumberedName.Numbers(Name[Part.Prefix.Length..]))
                : own;
        }

        return names;
    }
}
