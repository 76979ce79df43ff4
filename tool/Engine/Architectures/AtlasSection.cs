namespace Bnb.Engine.Architectures;

/// <summary>The library whose classes a part of the atlas describes.</summary>
internal enum AtlasSection
{
    /// <summary>transformers 4 and 5, by the names of <c>architectures</c>.</summary>
    Transformers,

    /// <summary>diffusers, by <c>_class_name</c>.</summary>
    Diffusers,

    /// <summary>vLLM, by the names of <c>architectures</c>.</summary>
    Vllm,
}
