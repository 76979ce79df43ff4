namespace Bnb.Engine.Policy;

/// <summary>What becomes of experts, which transformers 5 fuses when it loads and some checkpoints store fused.</summary>
internal enum ExpertChoice
{
    /// <summary>Quantized: transformers 4 and vLLM read that, transformers 5 reads it in compressed-tensors form only.</summary>
    Pack,

    /// <summary>Left in their source type: every loader reads that.</summary>
    Keep,

    /// <summary>As <see cref="Pack"/>, and those stored as stacks are divided into matrices first.</summary>
    Split,
}
