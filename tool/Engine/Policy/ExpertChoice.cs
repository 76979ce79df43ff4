namespace Bnb.Engine.Policy;

/// <summary>What becomes of experts stored one by one, which transformers 5 fuses when it loads.</summary>
internal enum ExpertChoice
{
    /// <summary>Quantized: transformers 4 and vLLM read that, transformers 5 reads it in compressed-tensors form only.</summary>
    Pack,

    /// <summary>Left in their source type: every loader reads that.</summary>
    Keep,
}
