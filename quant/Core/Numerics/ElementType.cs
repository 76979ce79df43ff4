namespace Bnb.Quant.Numerics;

/// <summary>The number formats that can be quantized. Everything else a checkpoint stores is passed
/// through by the caller.</summary>
public enum ElementType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>The upper half of a binary32 (bfloat16).</summary>
    BF16,
}

/// <summary>Facts about <see cref="ElementType"/> values.</summary>
public static class ElementTypes
{
    /// <summary>Bytes one stored value takes: 4 for F32, 2 for F16 and BF16.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the three.</exception>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.F32 => 4,
        ElementType.F16 or ElementType.BF16 => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "not an element type"),
    };
}
