namespace Bnb.Engine.Evaluating.Families;

/// <summary>A normalization: what kind, and where its weights are.</summary>
/// <param name="Module">Its module; <c>.weight</c> belongs to it, for a layer norm <c>.bias</c> where stored.</param>
/// <param name="Epsilon">Added to the mean of squares.</param>
/// <param name="Kind">RMS or layer norm.</param>
internal sealed record NormForm(string Module, double Epsilon, NormKind Kind)
{
    /// <summary>Whether it has no weights at all.</summary>
    public bool IsPlain { get; init; }

    /// <summary>The weight of a norm over this many values.</summary>
    public WeightUse Weight(int width) => WeightUse.Vector(Module + ".weight", width);

    /// <summary>Its bias; used when it is stored.</summary>
    public WeightUse Bias(int width) => WeightUse.Vector(Module + ".bias", width);
}
