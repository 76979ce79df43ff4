using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// Rounding to the 16-bit formats by integer arithmetic: to nearest, ties to even, overflow to infinity, subnormals kept, NaN
/// as <see cref="IElement.ToBits(float)"/> has it. No floating point operation, so nothing can be fused with what made the value.
/// </summary>
internal static class Rounding
{
    public static int ToBF16(float value)
    {
        int bits = Bits.Of(value);
        int upper = (bits >> 16) & 0xFFFF;
        int rounded = upper + (((bits & 0xFFFF) + 0x7FFF + (upper & 1)) >> 16);
        return (bits & Magnitudes.Mask) > Magnitudes.Infinity ? 0x7FC0 : rounded;
    }

    public static int ToF16(float value)
    {
        int bits = Bits.Of(value);
        int sign = (bits >> 16) & 0x8000, magnitude = bits & Magnitudes.Mask;
        int normal = ((magnitude + 0xFFF + ((magnitude >> 13) & 1)) >> 13) - (112 << 10);

        // Below 2^-14 the unit is 2^-24: the fraction with its leading one, shifted there. Below 2^-25 nothing is left, and a
        // shift of 25 gives that 0.
        int shift = Math.Min(Math.Max(126 - (magnitude >> 23), 1), 25);
        int fraction = (magnitude & 0x7F_FFFF) | 0x80_0000;
        int subnormal = (fraction + (1 << (shift - 1)) - 1 + ((fraction >> shift) & 1)) >> shift;
        int rounded = magnitude >= 0x3880_0000 ? normal : subnormal;
        rounded = magnitude >= 0x477F_F000 ? 0x7C00 : rounded;
        return sign | (magnitude > Magnitudes.Infinity ? 0x7E00 : rounded);
    }

    /// <summary>The nearest integer, ties to even, of |x| below 2^23: the fraction is exact.</summary>
    public static int ToNearest(float x)
    {
        int whole = (int)x;
        float fraction = Math.Abs(x - whole);
        bool away = fraction > 0.5f || (fraction == 0.5f && (whole & 1) != 0);
        return whole + (away ? (x < 0f ? -1 : 1) : 0);
    }
}
