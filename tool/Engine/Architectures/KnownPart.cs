namespace Bnb.Engine.Architectures;

/// <summary>A class of the atlas that explains names of a checkpoint.</summary>
/// <param name="Prefix">What the names have before the class's own, with its dot; empty for the whole model.</param>
/// <param name="Class">The class.</param>
internal sealed record KnownPart(string Prefix, ModelClass Class)
{
    /// <summary>What the class's names have in the place of <see cref="Prefix"/>: loaders take a bare model for a part of the whole.</summary>
    public string Added { get; init; } = "";

    /// <summary>What names in memory have before the class's own.</summary>
    public string MemoryPrefix { get; init; } = Prefix;

    /// <summary>The class's name for a tensor; null when the tensor is not in this part.</summary>
    public string? OwnName(string tensor) =>
        tensor.StartsWith(Prefix, StringComparison.Ordinal) ? string.Concat(Added, tensor.AsSpan(Prefix.Length)) : null;
}
