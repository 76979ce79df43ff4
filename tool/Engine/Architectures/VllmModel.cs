namespace Bnb.Engine.Architectures;

/// <summary>One architecture of vLLM.</summary>
/// <param name="Name">Name in <c>architectures</c>.</param>
/// <param name="Groups">Layers that hold several modules of the checkpoint.</param>
/// <param name="Substrings">Texts of names that are replaced, in order; null as replacement drops the tensor.</param>
/// <param name="Prefixes">Beginnings of names that are replaced after that, in order.</param>
/// <param name="Suffixes">Ends of names that are replaced after that, in order.</param>
/// <param name="ReadsBitsAndBytes">Its class has what the bitsandbytes loader asks for.</param>
/// <param name="Problem">Why not, or what may go wrong; null when nothing is known.</param>
internal sealed record VllmModel(
    string Name,
    IReadOnlyList<FusedGroup> Groups,
    IReadOnlyList<KeyValuePair<string, string?>> Substrings,
    IReadOnlyList<KeyValuePair<string, string?>> Prefixes,
    IReadOnlyList<KeyValuePair<string, string?>> Suffixes,
    bool ReadsBitsAndBytes,
    string? Problem)
{
    private const string Weight = ".weight";

    /// <summary>vLLM's name for a module of the checkpoint, not yet fused; null when vLLM does not load it.</summary>
    public string? Rename(string module)
    {
        if (!IsRenamed(module)) return module;
        string name = module + Weight;
        foreach ((string text, string? replacement) in Substrings)
        {
            int at = name.IndexOf(text, StringComparison.Ordinal);
            if (at < 0) continue;
            if (replacement is null) return null;
            name = string.Concat(name.AsSpan(0, at), replacement, name.AsSpan(at + text.Length));
        }

        foreach ((string text, string? replacement) in Prefixes)
        {
            if (!name.StartsWith(text, StringComparison.Ordinal)) continue;
            if (replacement is null) return null;
            name = string.Concat(replacement, name.AsSpan(text.Length));
        }

        foreach ((string text, string? replacement) in Suffixes)
        {
            if (!name.EndsWith(text, StringComparison.Ordinal)) continue;
            if (replacement is null) return null;
            name = string.Concat(name.AsSpan(0, name.Length - text.Length), replacement);
        }

        return name.EndsWith(Weight, StringComparison.Ordinal) ? name[..^Weight.Length] : name;
    }

    // Most names keep theirs, and there may be a hundred thousand: no text is made to find that out.
    private bool IsRenamed(string module)
    {
        const int MostOnStack = 512;
        int length = module.Length + Weight.Length;
        Span<char> buffer = length <= MostOnStack ? stackalloc char[MostOnStack] : new char[length];
        Span<char> name = buffer[..length];
        module.CopyTo(name);
        Weight.CopyTo(name[module.Length..]);
        for (int i = 0; i < Substrings.Count; i++)
            if (name.IndexOf(Substrings[i].Key, StringComparison.Ordinal) >= 0) return true;
        for (int i = 0; i < Prefixes.Count; i++)
            if (name.StartsWith(Prefixes[i].Key, StringComparison.Ordinal)) return true;
        for (int i = 0; i < Suffixes.Count; i++)
            if (name.EndsWith(Suffixes[i].Key, StringComparison.Ordinal)) return true;
        return false;
    }
}
