namespace Bnb.Engine.Architectures;

/// <summary>The classes of the atlas that a checkpoint was found to be made of.</summary>
internal sealed class KnownModel
{
    private readonly Dictionary<string, KnownPattern?> _patterns = new(StringComparer.Ordinal);

    /// <summary>Takes the result of a <see cref="ModelFinder"/>.</summary>
    public KnownModel(IReadOnlyList<KnownPart> parts, VllmModel? vllm)
    {
        Parts = [.. parts.OrderByDescending(static part => part.Prefix.Length).ThenBy(static part => part.Prefix, StringComparer.Ordinal)];
        Vllm = vllm;
    }

    /// <summary>A model of which nothing is known.</summary>
    public static KnownModel Unknown { get; } = new([], vllm: null);

    /// <summary>The classes, those with the longest prefix first; empty when the model is unknown.</summary>
    public IReadOnlyList<KnownPart> Parts { get; }

    /// <summary>The class of the whole model; null when only parts of it are known, or nothing.</summary>
    public ModelClass? Whole => Parts is [.., { MemoryPrefix: "", Class: { } whole }] ? whole : null;

    /// <summary>vLLM's implementation; null when it has none.</summary>
    public VllmModel? Vllm { get; }

    /// <summary>The facts about a tensor; null when no class knows the name.</summary>
    public KnownTensor? Find(string tensor)
    {
        if (Parts.Count == 0) return null;
        Span<char> buffer = stackalloc char[NumberedName.MostOnStack];
        ReadOnlySpan<char> pattern = NumberedName.Pattern(tensor, buffer);
        var patterns = _patterns.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!patterns.TryGetValue(pattern, out KnownPattern? found)) patterns[pattern] = found = Look(pattern.ToString());
        return found is null ? null : new KnownTensor(found.Part, found.Facts, tensor, found.IsOutsideLanguage);
    }

    private KnownPattern? Look(string pattern)
    {
        foreach (KnownPart part in Parts)
        {
            if (part.OwnName(pattern) is string own && part.Class.Find(own) is { } facts)
                return new KnownPattern(part, facts, IsOutsideLanguage(part.Class, own, facts));
        }

        return null;
    }

    // The newest version's structure is the one that the language model's paths are given in.
    private static bool IsOutsideLanguage(ModelClass model, string pattern, SavedTensor facts)
    {
        if (!model.Generates || model.LanguageModules.Count == 0) return false;
        int newest = facts.Kinds.Count - 1;
        while (newest > 0 && facts.Kinds[newest] == LayerKind.Absent) newest--;
        string name = facts.MemoryNames[newest] ?? pattern;
        return !model.LanguageModules.Any(module =>
            name.StartsWith(module, StringComparison.Ordinal) && name.Length > module.Length && name[module.Length] == '.');
    }

    /// <summary>What is true of all tensors whose names differ in their numbers only.</summary>
    private sealed record KnownPattern(KnownPart Part, SavedTensor Facts, bool IsOutsideLanguage);
}
