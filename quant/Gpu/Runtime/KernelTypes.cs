using Bnb.Quant.Blockwise;
using Bnb.Quant.Gpu.Kernels;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu.Runtime;

/// <summary>The structs that stand for types of values and codes in kernels.</summary>
internal static class KernelTypes
{
    /// <summary>Of values.</summary>
    public static Type Of(ElementType type) => type switch
    {
        ElementType.F32 => typeof(StoredF32),
        ElementType.F16 => typeof(StoredF16),
        _ => typeof(StoredBF16),
    };

    /// <summary>Of a 4-bit code.</summary>
    public static Type Of(Code4 code) => code == Code4Catalog.Fp4 ? typeof(RankedFp4) : typeof(RankedNf4);
}
