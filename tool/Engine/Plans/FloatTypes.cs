using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Plans;

/// <summary>The float types that kernels take, as files store and as torch names them: where formats' words meet quant's.</summary>
internal static class FloatTypes
{
    /// <summary>The kernel's type of a stored dtype; null for those that no kernel reads as they are, F64 among them.</summary>
    public static ElementType? Of(DType dtype) => dtype switch
    {
        DType.F16 => ElementType.F16,
        DType.BF16 => ElementType.BF16,
        DType.F32 => ElementType.F32,
        _ => null,
    };

    /// <summary>The kernel's type of a name such as <c>bfloat16</c>; null for any other word.</summary>
    public static ElementType? Named(string? torchName) => torchName switch
    {
        "float16" => ElementType.F16,
        "bfloat16" => ElementType.BF16,
        "float32" => ElementType.F32,
        _ => null,
    };

    /// <summary>As files store it.</summary>
    public static DType Stored(ElementType type) => type switch
    {
        ElementType.F16 => DType.F16,
        ElementType.BF16 => DType.BF16,
        _ => DType.F32,
    };

    /// <summary>As quant_state and config.json spell it.</summary>
    public static string Name(ElementType type) => type switch
    {
        ElementType.F16 => "float16",
        ElementType.BF16 => "bfloat16",
        _ => "float32",
    };
}
