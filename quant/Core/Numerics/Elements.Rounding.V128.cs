using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Numerics;

// One value per 32-bit lane. See Elements.Rounding.cs for the rule; the bits are the same.
internal partial interface IElement
{
    /// <inheritdoc cref="ToBits(float)"/>
    static abstract Vector128<uint> ToBits(Vector128<float> value);

    /// <inheritdoc cref="FromBits(uint)"/>
    static abstract Vector128<float> FromBits(Vector128<uint> bits);
}

internal readonly partial struct F32Element
{
    public static Vector128<uint> ToBits(Vector128<float> value) => value.AsUInt32();

    public static Vector128<float> FromBits(Vector128<uint> bits) => bits.AsSingle();
}

internal readonly partial struct F16Element
{
    // The rounding is left to one float32 addition of a power of two whose last bit has the weight of the result's last bit:
    // 2^13 times the value's own power of two, but not less than 2^-1, where subnormal results are spaced 2^-24 apart. The
    // sum's low bits are then the result's fraction with its leading one, which carries into the exponent added to it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> ToBits(Vector128<float> value)
    {
        Vector128<uint> bits = value.AsUInt32(), magnitude = bits & Vector128.Create(0x7FFF_FFFFu);
        // Anything from 2^16 on overflows: held there, the addition below gives an infinity's bits.
        Vector128<uint> held = Vector128.Min(magnitude, Vector128.Create(0x4780_0000u));
        Vector128<uint> power = Vector128.Max(held & Vector128.Create(ExponentMask), Vector128.Create(0x3880_0000u));
        Vector128<uint> magic = power + Vector128.Create(13u << 23);
        Vector128<uint> sum = (held.AsSingle() + magic.AsSingle()).AsUInt32();
        // sum - magic: fraction with leading one (0x400) for normal results; the exponent field of the smallest is 0.
        Vector128<uint> rounded = (sum - magic) + ((power - Vector128.Create(0x3880_0000u)) >>> 13);
        Vector128<uint> isNaN = Vector128.GreaterThan(magnitude.AsInt32(), Vector128.Create((int)ExponentMask)).AsUInt32();
        Vector128<uint> size = Vector128.ConditionalSelect(isNaN, Vector128.Create(0x7E00u), rounded);
        return ((bits >>> 16) & Vector128.Create(0x8000u)) | size;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FromBits(Vector128<uint> bits)
    {
        Vector128<uint> sign = (bits & Vector128.Create(0x8000u)) << 16;
        Vector128<float> value = ((bits & Vector128.Create(0x7FFFu)) << 13).AsSingle() * Vector128.Create(Rebias);
        Vector128<uint> infinite = Vector128.GreaterThanOrEqual(value, Vector128.Create(Limit)).AsUInt32();
        return (value.AsUInt32() | (infinite & Vector128.Create(ExponentMask)) | sign).AsSingle();
    }
}

internal readonly partial struct BF16Element
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> ToBits(Vector128<float> value)
    {
        Vector128<uint> bits = value.AsUInt32();
        Vector128<uint> rounded = (bits + Vector128.Create(0x7FFFu) + ((bits >>> 16) & Vector128<uint>.One)) >>> 16;
        return Vector128.ConditionalSelect(Vector128.Equals(value, value).AsUInt32(), rounded, Vector128.Create(0x7FC0u));
    }

    public static Vector128<float> FromBits(Vector128<uint> bits) => (bits << 16).AsSingle();
}
