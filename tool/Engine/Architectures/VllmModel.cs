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
    /// <summary>vLLM's name for a module of the checkpoint, not yet fused; null when vLLM does not load it.</summary>
    public string? Rename(string module)
    {
        const string Weight = ".weight";
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
}
