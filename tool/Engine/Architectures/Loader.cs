namespace Bnb.Engine.Architectures;

/// <summary>Libraries that build a model from a class of the atlas, as far as their structures differ.</summary>
internal enum Loader
{
    /// <summary>transformers 4 (read in 4.57).</summary>
    Transformers4,

    /// <summary>transformers 5 (read in 5.23).</summary>
    Transformers5,

    /// <summary>diffusers (read in 0.42).</summary>
    Diffusers,
}
