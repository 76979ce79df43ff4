namespace Bnb.Engine.Policy;

/// <summary>The user's choices.</summary>
/// <param name="Blocksize">
/// Values per absmax, or group_size for compressed-tensors; a layer whose input width is no multiple of it is called
/// unaligned. LLM.int8() has no blocks and does not read it.
/// </param>
/// <param name="ExcludeUnaligned">
/// Leave unaligned layers in their source type. Of no effect for LLM.int8(); compressed-tensors always does.
/// </param>
/// <param name="QuantizeVision">Also quantize vision and audio towers and their projectors.</param>
/// <param name="Patterns">User rules in command-line order.</param>
/// <param name="Target">The form of the output.</param>
internal sealed record PolicyOptions(
    int Blocksize,
    bool ExcludeUnaligned,
    bool QuantizeVision,
    IReadOnlyList<PatternRule> Patterns,
    PolicyTarget Target = PolicyTarget.Bnb4)
{
    /// <summary>Values per absmax or group of a tensor that has another form, by its name; null when all have <see cref="Blocksize"/>.</summary>
    public Func<string, int>? BlocksizeOf { get; init; }

    /// <summary>What patterns may have before the names: a component of a pipeline and a slash; empty for a model.</summary>
    public string NamePrefix { get; init; } = "";

    /// <summary>What becomes of experts that some library fuses.</summary>
    public ExpertChoice Experts { get; init; } = ExpertChoice.Pack;
}
