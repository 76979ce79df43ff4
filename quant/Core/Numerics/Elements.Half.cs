using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Numerics;

// LLM.int8() looks at weights as binary16. The vector members round a float32 to the nearest binary16 value, ties to even, and
// keep it as float32. They need |value| < 65520, which is what HalfOverflow guards; then nothing overflows. Rounding is left
// to float32 additions: value + m - m rounds to the last bit of the sum, and with m = 1.5 times a power of two that sum stays
// between 1 and 2 times the power for either sign of the value. The result's zero has no sign, which no code depends on.
internal partial interface IElement
{
    /// <summary>The smallest stored magnitude (bits without sign) that is not finite once rounded to binary16: 65520 and
    /// above, infinities and NaN.</summary>
    static abstract uint HalfOverflow { get; }

    /// <summary>Widened values of this format, below <see cref="HalfOverflow"/>, rounded to binary16. Exact.</summary>
    static abstract Vector128<float> RoundToHalf(Vector128<float> value);

    /// <inheritdoc cref="RoundToHalf(Vector128{float})"/>
    static abstract Vector256<float> RoundToHalf(Vector256<float> value);

    /// <inheritdoc cref="RoundToHalf(Vector128{float})"/>
    static abstract Vector512<float> RoundToHalf(Vector512<float> value);
}

internal readonly partial struct F32Element
{
    /// <summary>2^-14, the smallest normal binary16, as bits: below it results are spaced as they are above it.</summary>
    private const int SmallestPower = 0x3880_0000;

    /// <summary>Times 1.5 * 2^13, for the bits of a power of two. The sum then ends where 11 significant bits end.</summary>
    private const int ToMagic = (13 << 23) | 0x0040_0000;

    private const int PowerMask = 0x7F80_0000;

    public static uint HalfOverflow => 0x477F_F000;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> RoundToHalf(Vector128<float> value)
    {
        Vector128<int> power = Vector128.Max(value.AsInt32() & Vector128.Create(PowerMask), Vector128.Create(SmallestPower));
        Vector128<float> magic = (power + Vector128.Create(ToMagic)).AsSingle();
        return (value + magic) - magic;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> RoundToHalf(Vector256<float> value)
    {
        Vector256<int> power = Vector256.Max(value.AsInt32() & Vector256.Create(PowerMask), Vector256.Create(SmallestPower));
        Vector256<float> magic = (power + Vector256.Create(ToMagic)).AsSingle();
        return (value + magic) - magic;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RoundToHalf(Vector512<float> value)
    {
        Vector512<int> power = Vector512.Max(value.AsInt32() & Vector512.Create(PowerMask), Vector512.Create(SmallestPower));
        Vector512<float> magic = (power + Vector512.Create(ToMagic)).AsSingle();
        return (value + magic) - magic;
    }
}

internal readonly partial struct F16Element
{
    public static uint HalfOverflow => 0x7C00;

    public static Vector128<float> RoundToHalf(Vector128<float> value) => value;

    public static Vector256<float> RoundToHalf(Vector256<float> value) => value;

    public static Vector512<float> RoundToHalf(Vector512<float> value) => value;
}

internal readonly partial struct BF16Element
{
    // 8 significant bits fit into binary16 down to 2^-17, where their last bit has the weight 2^-24 of the smallest binary16.
    // Only smaller values change. Adding 0.75 ends their sums at 2^-24 and loses nothing of the larger ones: from 2^-17 to
    // 0.25 the sum is below 1 and ends at 2^-24, above it the value's last bit is 2^-9 or more and 24 bits reach that far.
    private const float Magic = 0.75f;

    public static uint HalfOverflow => 0x4780;

    public static Vector128<float> RoundToHalf(Vector128<float> value) =>
        (value + Vector128.Create(Magic)) - Vector128.Create(Magic);

    public static Vector256<float> RoundToHalf(Vector256<float> value) =>
        (value + Vector256.Create(Magic)) - Vector256.Create(Magic);

    public static Vector512<float> RoundToHalf(Vector512<float> value) =>
        (value + Vector512.Create(Magic)) - Vector512.Create(Magic);
}
