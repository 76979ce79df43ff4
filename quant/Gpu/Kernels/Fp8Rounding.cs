namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Rounding to E4M3 as <see cref="Bnb.Quant.Fp8.E4M3"/> does it, in integers but for one sum.</summary>
internal static class Fp8Rounding
{
    private const int LargestBits = 0x43E0_0000, SmallestNormal = 0x3C80_0000, NaN = 0x7F;

    /// <summary>The code of a value clamped to [-448, 448]: to nearest, ties to even, the sign of zero kept; of NaN 0x7F.</summary>
    public static int ToE4M3(float value)
    {
        int bits = Bits.Of(value), magnitude = bits & Magnitudes.Mask;
        int held = Math.Min(magnitude, LargestBits);
        int power = Math.Max(held & Magnitudes.Infinity, SmallestNormal), magic = power + (20 << 23);
        int sum = Bits.Of(Bits.ToSingle(held) + Bits.ToSingle(magic));
        int code = sum - magic + ((power - SmallestNormal) >> 20);
        return magnitude > Magnitudes.Infinity ? NaN : code | ((bits >> 24) & 0x80);
    }
}
