using Bnb.Engine.Architectures;

namespace Bnb.Engine.Policy.Names;

/// <summary>A decision in the making, one per tensor.</summary>
/// <param name="Action">Quantize or copy.</param>
/// <param name="Rule">Deciding rule.</param>
/// <param name="Reason">One line for a human.</param>
internal sealed record Verdict(TensorAction Action, string Rule, string Reason)
{
    /// <summary>The module may be a linear layer in some consumer, so the skip list must cover it while it is copied.</summary>
    public bool NeedsCover { get; init; }

    /// <summary>What the atlas says about the tensor; null when its rules are those for names.</summary>
    public KnownTensor? Known { get; init; }

    /// <summary>The atlas has the model but not this tensor's name.</summary>
    public bool IsUnknownName { get; init; }

    /// <summary>No pattern can turn this into a quantized tensor.</summary>
    public bool Forced { get; init; }

    /// <summary>A consumer may have a linear layer there: the skip list names it where that harms nothing.</summary>
    public bool LikesCover { get; init; }

    /// <summary>The weight of a linear layer under another name than a module's <c>.weight</c>.</summary>
    public bool IsUnusualName { get; init; }

    /// <summary>Name component that explains the exclusion and is the first choice for the skip entry.</summary>
    public string? Hint { get; init; }

    /// <summary>Input width is no multiple of the block size.</summary>
    public bool Unaligned { get; init; }

    /// <summary>Stored as [in, out].</summary>
    public bool Transpose { get; init; }

    /// <summary>The same tensor, copied for another reason; it then needs a skip entry.</summary>
    public Verdict CopyInstead(string rule, string reason) =>
        this with { Action = TensorAction.Copy, Rule = rule, Reason = reason, NeedsCover = true, Hint = null };

    /// <summary>A tensor that can never be a quantized linear weight and needs no skip entry.</summary>
    public static Verdict Never(string rule, string reason) => new(TensorAction.Copy, rule, reason) { Forced = true };
}
