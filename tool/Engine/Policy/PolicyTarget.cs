namespace Bnb.Engine.Policy;

/// <summary>The form of the output. It decides what a quantized weight may be and which list tells loaders about the rest.</summary>
internal enum PolicyTarget
{
    /// <summary>bitsandbytes NF4 or FP4: any matrix of a linear layer; <c>llm_int8_skip_modules</c>.</summary>
    Bnb4,

    /// <summary>
    /// LLM.int8(): one scale per row. Loaders take int8 values for weights without a word when they expect floats there, so
    /// only layers with well-known names are quantized; <c>llm_int8_skip_modules</c>.
    /// </summary>
    Bnb8,

    /// <summary>
    /// INT4 in compressed-tensors form for the class <c>Linear</c>, whole groups only; <c>quantization_config.ignore</c>.
    /// </summary>
    CompressedTensors,
}
