namespace Bnb.Quant.Backends;

/// <summary>The implementations of one and the same arithmetic. All give the same bytes.</summary>
public enum KernelPath
{
    /// <summary>The definition: one value at a time, no intrinsics.</summary>
    Reference,

    /// <summary>128-bit vectors, portable.</summary>
    V128,

    /// <summary>256-bit vectors, needs AVX2.</summary>
    V256,

    /// <summary>512-bit vectors, needs AVX-512 F and BW.</summary>
    V512,
}
