using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Numerics;

// One value per 32-bit lane. See Elements.Rounding.cs for the rule; the bits are the same.
internal partial interface IElement
{
    /// <inheritdoc cref="ToBits(float)"/>
    static abstract Vector256<uint> ToBits(Vector256<float> value);

    /// <inheritdoc cref="FromBits(uint)"/>
    static abstract Vector256<float> FromBits(Vector256<uint> bits);
}

internal readonly partial struct F32Element
{
    public static Vector256<uint> ToBits(Vector256<float> value) => value.AsUInt32();

    public static Vector256<float> FromBits(Vector256<uint> bits) => bits.AsSingle();
}

internal readonly partial struct F16Element
{
    // The rounding is left to one float32 addition of a power of two whose last bit has the weight of the result's last bit:
    // 2^13 times the value's own power of two, but not less than 2^-1, where subnormal results are spaced 2^-24 apart. The
    // sum's low bits are then the result's fraction with its leading one, which carries into the exponent added to it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> ToBits(Vector256<float> value)
    {
        Vector256<uint> bits = value.AsUInt32(), magnitude = bits & Vector256.Create(0x7FFF_FFFFu);
        // Anything from 2^16 on overflows: held there, the addition below gives an infinity's bits.
        Vector256<uint> held = Vector256.Min(magnitude, Vector256.Create(0x4780_0000u));
        Vector256<uint> power = Vector256.Max(held & Vector256.Create(ExponentMask), Vector256.Create(0x3880_0000u));
        Vector256<uint> magic = power + Vector256.Create(13u << 23);
        Vector256<uint> sum = (held.AsSingle() + magic.AsSingle()).AsUInt32();
        // sum - magic: fraction with leading one (0x400) for normal results; the exponent field of the smallest is 0.
        Vector256<uint> rounded = (sum - magic) + ((power - Vector256.Create(0x3880_0000u)) >>> 13);
        Vector256<uint> isNaN = Vector256.GreaterThan(magnitude.AsInt32(), Vector256.Create((int)ExponentMask)).AsUInt32();
        Vector256<uint> size = Vector256.ConditionalSelect(isNaN, Vector256.Create(0x7E00u), rounded);
        return ((bits >>> 16) & Vector256.Create(0x8000u)) | size;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FromBits(Vector256<uint> bits)
    {
        Vector256<uint> sign = (bits & Vector256.Create(0x8000u)) << 16;
        Vector256<float> value = ((bits & Vector256.Create(0x7FFFu)) << 13).AsSingle() * Vector256.Create(Rebias);
        Vector256<uint> infinite = Vector256.GreaterThanOrEqual(value, Vector256.Create(Limit)).AsUInt32();
        return (value.AsUInt32() | (infinite & Vector256.Create(ExponentMask)) | sign).AsSingle();
    }
}

internal readonly partial struct BF16Element
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> ToBits(Vector256<float> value)
    {
        Vector256<uint> bits = value.AsUInt32();
        Vector256<uint> rounded = (bits + Vector256.Create(0x7FFFu) + ((bits >>> 16) & Vector256<uint>.One)) >>> 16;
        return Vector256.ConditionalSelect(Vector256.Equals(value, value).AsUInt32(), rounded, Vector256.Create(0x7FC0u));
    }

    public static Vector256<float> FromBits(Vector256<uint> bits) => (bits << 16).AsSingle();
}
