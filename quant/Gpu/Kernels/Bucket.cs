using Bnb.Quant.Codes;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>What one bucket of a code's line knows, see <see cref="BucketTable{TCode}"/>, in one 8-byte word so that one load
/// brings both: the threshold inside it in the lower half, the number of thresholds below it in the upper.</summary>
internal static class Bucket
{
    // BucketTable.Density and Shifter, which are constants of a generic type and so not constants in a kernel.
    private const float Density = 15.4f, Shifter = 12582912f;

    /// <summary>The bits of <see cref="Shifter"/>.</summary>
    private const int ShifterBits = 0x4B40_0000;

    /// <summary>The number, from -15 to 15, of the bucket of |x| at most a rounding above 1. The device may fuse the product and
    /// the sum or not: both are monotone, and agree on where the thresholds are, as <c>GpuCode</c> checks.</summary>
    public static int Of(float x) => Bits.Of(x * Density + Shifter) - ShifterBits;

    /// <summary>The same modulo 32, which is its place in a table.</summary>
    public static int PlaceOf(float x) => Bits.Of(x * Density + Shifter) & 31;

    public static long Word(float bound, int rank) => ((long)rank << 32) | (uint)Bits.Of(bound);

    public static float Bound(long bucket) => Bits.ToSingle((int)bucket);

    public static int Rank(long bucket) => (int)(bucket >> 32);
}
