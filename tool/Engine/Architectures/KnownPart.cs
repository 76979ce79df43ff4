namespace Bnb.Engine.Architectures;

/// <summary>A class of the atlas that explains names of a checkpoint.</summary>
/// <param name="Prefix">What the names have before the class's own, with its dot; empty for the whole model.</param>
/// <param name="Class">The class.</param>
internal sealed record KnownPart(string Prefix, ModelClass Class);
