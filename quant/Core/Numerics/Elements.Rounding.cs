namespace Bnb.Quant.Numerics;

// Rounding to a stored format: to nearest, ties to even, overflow to infinity, subnormals kept. A NaN becomes the quiet NaN
// that torch's scalar conversions give: 0x7FC0 for bfloat16, the sign and 0x7E00 for binary16.
internal partial interface IElement
{
    /// <summary>The stored bits of a value, rounded; in the low 16 bits for the 16-bit formats. Exact in the IEEE sense, NaN
    /// as above; F32 keeps every bit.</summary>
    static abstract uint ToBits(float value);

    /// <summary>The value of stored bits. Exact; a NaN stays a NaN, with its sign.</summary>
    static abstract float FromBits(uint bits);
}

internal readonly partial struct F32Element
{
    public static uint ToBits(float value) => BitConverter.SingleToUInt32Bits(value);

    public static float FromBits(uint bits) => BitConverter.UInt32BitsToSingle(bits);
}

internal readonly partial struct F16Element
{
    /// <summary>The exponent of all ones of a binary32.</summary>
    private const uint ExponentMask = 0x7F80_0000;

    /// <summary>2^16: the first magnitude above all finite binary16 values.</summary>
    private const float Limit = 65536f;

    public static uint ToBits(float value) => float.IsNaN(value)
        ? ((BitConverter.SingleToUInt32Bits(value) >> 16) & 0x8000) | 0x7E00
        : BitConverter.HalfToUInt16Bits((Half)value);

    public static float FromBits(uint bits)
    {
        uint sign = (bits & 0x8000) << 16, magnitude = bits & 0x7FFF;
        float value = BitConverter.UInt32BitsToSingle(magnitude << 13) * Rebias;
        uint exponent = value >= Limit ? ExponentMask : 0;
        return BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) | exponent | sign);
    }
}

internal readonly partial struct BF16Element
{
    public static uint ToBits(float value)
    {
        if (float.IsNaN(value)) return 0x7FC0;
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    }

    public static float FromBits(uint bits) => BitConverter.UInt32BitsToSingle(bits << 16);
}
