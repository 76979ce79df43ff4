namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>Readers of <c>ignore</c>, as far as they differ. All compare with their own module names.</summary>
internal enum IgnoreReader
{
    /// <summary>compressed-tensors 0.11 and later (read in 0.18), which transformers uses.</summary>
    CompressedTensors,

    /// <summary>compressed-tensors up to 0.10: a regular expression may match the class name too.</summary>
    CompressedTensors10,

    /// <summary>vLLM up to 0.6.5: asks about the parts of a fused layer and refuses a mixture.</summary>
    Vllm06,

    /// <summary>vLLM since then: as before, unless the fused layer itself is listed.</summary>
    Vllm,

    /// <summary>vLLM's development line of 2026: ignores a fused layer of which any part is listed.</summary>
    VllmLenient,
}
