using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Fp8;

/// <summary>Rounding to E4M3, clamped to its largest value, as compressed-tensors does.</summary>
internal static class E4M3
{
    /// <summary>The largest value.</summary>
    public const float Largest = 448f;

    /// <summary><see cref="Largest"/> as bits.</summary>
    private const uint LargestBits = 0x43E0_0000;

    private const uint ExponentMask = 0x7F80_0000;

    /// <summary>2^-6 as bits: below it codes are subnormal, 2^-9 apart.</summary>
    private const uint SmallestNormal = 0x3C80_0000;

    private const uint NaN = 0x7F;

    // The rounding is left to one float32 addition of a power of two whose last bit has the weight of the code's last bit:
    // 2^20 times the value's own power of two, but not less than 2^14. The sum's low bits are then the code's fraction with its
    // leading one, which carries into the exponent added to it.

    /// <summary>The code of a value clamped to [-448, 448]: to nearest, ties to even, the sign of zero kept. NaN gives
    /// 0x7F.</summary>
    public static byte Encode(float value)
    {
        if (float.IsNaN(value)) return (byte)NaN;
        uint sign = (BitConverter.SingleToUInt32Bits(value) >> 24) & 0x80;
        float held = MathF.Min(MathF.Abs(value), Largest);
        uint power = Math.Max(BitConverter.SingleToUInt32Bits(held) & ExponentMask, SmallestNormal);
        uint magic = power + (20u << 23);
        uint sum = BitConverter.SingleToUInt32Bits(held + BitConverter.UInt32BitsToSingle(magic));
        return (byte)(sign | ((sum - magic) + ((power - SmallestNormal) >> 20)));
    }

    /// <inheritdoc cref="Encode(float)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> Encode(Vector128<float> value)
    {
        Vector128<uint> bits = value.AsUInt32(), sign = (bits >>> 24) & Vector128.Create(0x80u);
        Vector128<uint> magnitude = bits & Vector128.Create(0x7FFF_FFFFu);
        // Positive floats order as integers do; a NaN is held, too, and replaced below.
        Vector128<uint> held = Vector128.Min(magnitude, Vector128.Create(LargestBits));
        Vector128<uint> power = Vector128.Max(held & Vector128.Create(ExponentMask), Vector128.Create(SmallestNormal));
        Vector128<uint> magic = power + Vector128.Create(20u << 23);
        Vector128<uint> sum = (held.AsSingle() + magic.AsSingle()).AsUInt32();
        Vector128<uint> code = (sum - magic) + ((power - Vector128.Create(SmallestNormal)) >>> 20);
        Vector128<uint> isNaN = Vector128.GreaterThan(magnitude, Vector128.Create(ExponentMask));
        return Vector128.ConditionalSelect(isNaN, Vector128.Create(NaN), sign | code);
    }

    /// <inheritdoc cref="Encode(float)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Encode(Vector256<float> value)
    {
        Vector256<uint> bits = value.AsUInt32(), sign = (bits >>> 24) & Vector256.Create(0x80u);
        Vector256<uint> magnitude = bits & Vector256.Create(0x7FFF_FFFFu);
        // Positive floats order as integers do; a NaN is held, too, and replaced below.
        Vector256<uint> held = Vector256.Min(magnitude, Vector256.Create(LargestBits));
        Vector256<uint> power = Vector256.Max(held & Vector256.Create(ExponentMask), Vector256.Create(SmallestNormal));
        Vector256<uint> magic = power + Vector256.Create(20u << 23);
        Vector256<uint> sum = (held.AsSingle() + magic.AsSingle()).AsUInt32();
        Vector256<uint> code = (sum - magic) + ((power - Vector256.Create(SmallestNormal)) >>> 20);
        Vector256<uint> isNaN = Vector256.GreaterThan(magnitude, Vector256.Create(ExponentMask));
        return Vector256.ConditionalSelect(isNaN, Vector256.Create(NaN), sign | code);
    }

    /// <inheritdoc cref="Encode(float)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Encode(Vector512<float> value)
    {
        Vector512<uint> bits = value.AsUInt32(), sign = (bits >>> 24) & Vector512.Create(0x80u);
        Vector512<uint> magnitude = bits & Vector512.Create(0x7FFF_FFFFu);
        // Positive floats order as integers do; a NaN is held, too, and replaced below.
        Vector512<uint> held = Vector512.Min(magnitude, Vector512.Create(LargestBits));
        Vector512<uint> power = Vector512.Max(held & Vector512.Create(ExponentMask), Vector512.Create(SmallestNormal));
        Vector512<uint> magic = power + Vector512.Create(20u << 23);
        Vector512<uint> sum = (held.AsSingle() + magic.AsSingle()).AsUInt32();
        Vector512<uint> code = (sum - magic) + ((power - Vector512.Create(SmallestNormal)) >>> 20);
        Vector512<uint> isNaN = Vector512.GreaterThan(magnitude, Vector512.Create(ExponentMask));
        return Vector512.ConditionalSelect(isNaN, Vector512.Create(NaN), sign | code);
    }
}
