using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Numerics;

// One value per 32-bit lane. See Elements.Rounding.cs for the rule; the bits are the same.
internal partial interface IElement
{
    /// <inheritdoc cref="ToBits(float)"/>
    static abstract Vector512<uint> ToBits(Vector512<float> value);

    /// <inheritdoc cref="FromBits(uint)"/>
    static abstract Vector512<float> FromBits(Vector512<uint> bits);
}

internal readonly partial struct F32Element
{
    public static Vector512<uint> ToBits(Vector512<float> value) => value.AsUInt32();

    public static Vector512<float> FromBits(Vector512<uint> bits) => bits.AsSingle();
}

internal readonly partial struct F16Element
{
    // The rounding is left to one float32 addition of a power of two whose last bit has the weight of the result's last bit:
    // 2^13 times the value's own power of two, but not less than 2^-1, where subnormal results are spaced 2^-24 apart. The
    // sum's low bits are then the result's fraction with its leading one, which carries into the exponent added to it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> ToBits(Vector512<float> value)
    {
        Vector512<uint> bits = value.AsUInt32(), magnitude = bits & Vector512.Create(0x7FFF_FFFFu);
        // Anything from 2^16 on overflows: held there, the addition below gives an infinity's bits.
        Vector512<uint> held = Vector512.Min(magnitude, Vector512.Create(0x4780_0000u));
        Vector512<uint> power = Vector512.Max(held & Vector512.Create(ExponentMask), Vector512.Create(0x3880_0000u));
        Vector512<uint> magic = power + Vector512.Create(13u << 23);
        Vector512<uint> sum = (held.AsSingle() + magic.AsSingle()).AsUInt32();
        // sum - magic: fraction with leading one (0x400) for normal results; the exponent field of the smallest is 0.
        Vector512<uint> rounded = (sum - magic) + ((power - Vector512.Create(0x3880_0000u)) >>> 13);
        Vector512<uint> isNaN = Vector512.GreaterThan(magnitude.AsInt32(), Vector512.Create((int)ExponentMask)).AsUInt32();
        Vector512<uint> size = Vector512.ConditionalSelect(isNaN, Vector512.Create(0x7E00u), rounded);
        return ((bits >>> 16) & Vector512.Create(0x8000u)) | size;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FromBits(Vector512<uint> bits)
    {
        Vector512<uint> sign = (bits & Vector512.Create(0x8000u)) << 16;
        Vector512<float> value = ((bits & Vector512.Create(0x7FFFu)) << 13).AsSingle() * Vector512.Create(Rebias);
        Vector512<uint> infinite = Vector512.GreaterThanOrEqual(value, Vector512.Create(Limit)).AsUInt32();
        return (value.AsUInt32() | (infinite & Vector512.Create(ExponentMask)) | sign).AsSingle();
    }
}

internal readonly partial struct BF16Element
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> ToBits(Vector512<float> value)
    {
        Vector512<uint> bits = value.AsUInt32();
        Vector512<uint> rounded = (bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One)) >>> 16;
        return Vector512.ConditionalSelect(Vector512.Equals(value, value).AsUInt32(), rounded, Vector512.Create(0x7FC0u));
    }

    public static Vector512<float> FromBits(Vector512<uint> bits) => (bits << 16).AsSingle();
}
