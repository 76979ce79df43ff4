namespace Bnb.Tool.Policy;

/// <summary>The user's choices.</summary>
/// <param name="Blocksize">Values per absmax; a layer whose input width is no multiple of it is called unaligned.</param>
/// <param name="ExcludeUnaligned">Leave unaligned layers in their source type.</param>
/// <param name="QuantizeVision">Also quantize vision and audio towers and their projectors.</param>
/// <param name="Patterns">User rules in command-line order.</param>
internal sealed record PolicyOptions(
    int Blocksize, bool ExcludeUnaligned, bool QuantizeVision, IReadOnlyList<PatternRule> Patterns);
