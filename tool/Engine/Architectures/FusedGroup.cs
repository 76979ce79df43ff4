namespace Bnb.Engine.Architectures;

/// <summary>A layer of vLLM that several modules of the checkpoint are loaded into.</summary>
/// <param name="Fused">End of the layer's path, one component or more.</param>
/// <param name="Parts">Ends of the modules' paths.</param>
internal sealed record FusedGroup(string Fused, IReadOnlyList<string> Parts)
{
    /// <summary>The part that a module is, or null when it is none of the group's.</summary>
    public string? PartOf(string module)
    {
        foreach (string part in Parts)
            if (EndsWith(module, part)) return part;

        return null;
    }

    /// <summary>The path of the fused layer that holds <paramref name="module"/>, which ends with <paramref name="part"/>.</summary>
    public string FusedName(string module, string part) => string.Concat(module.AsSpan(0, module.Length - part.Length), Fused);

    /// <summary>Whether the path ends with whole components of <paramref name="end"/>.</summary>
    public static bool EndsWith(string path, string end) =>
        path.EndsWith(end, StringComparison.Ordinal) && (path.Length == end.Length || path[path.Length - end.Length - 1] == '.');
}
