namespace Bnb.Engine.Evaluating.Families;

/// <summary>Kinds of normalization.</summary>
internal enum NormKind
{
    /// <summary>x / sqrt(mean(x^2) + eps) * weight.</summary>
    Rms,

    /// <summary>The same with 1 + weight.</summary>
    RmsFromOne,

    /// <summary>Mean and variance; weight and, where stored, bias.</summary>
    Layer,
}
