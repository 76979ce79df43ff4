namespace Bnb.Engine.Library;

/// <summary>What weights become.</summary>
public enum QuantizedType
{
    /// <summary>NormalFloat4 of bitsandbytes.</summary>
    Nf4,

    /// <summary>The 4-bit float of bitsandbytes.</summary>
    Fp4,

    /// <summary>LLM.int8() of bitsandbytes.</summary>
    Int8,

    /// <summary>Group-wise INT4 of compressed-tensors, symmetric, groups of 128.</summary>
    Int4,
}
