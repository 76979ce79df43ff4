
namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Float32 magnitudes as bits, which order like the values.</summary>
internal static class Magnitudes
{
    /// <summary>All but the sign.</summary>
    public const int Mask = 0x7FFF_FFFF;

    /// <summary>Infinity; every NaN is above.</summary>
    public const int Infinity = 0x7F80_0000;

    /// <summary>2^112, which moves a binary16 exponent read with the bias of binary32 to its place.</summary>
    private const float Rebias = 5.192296858534828e33f;

    /// <summary>The magnitude of float32 bits, 0 for NaN: how fmaxf skips it.</summary>
    public static int Number(int bits)
    {
        int magnitude = bits & Mask;
        return magnitude > Infinity ? 0 : magnitude;
    }

    /// <summary>A binary16 magnitude as float32 bits. Exact: a subnormal becomes a subnormal binary32 first and is exact after
    /// the multiplication, as is everything else; infinity and NaN keep their kind.</summary>
    public static int Widen(int magnitude)
    {
        int bits = Bits.Of(Bits.ToSingle(magnitude << 13) * Rebias);
        return magnitude >= 0x7C00 ? Infinity | ((magnitude & 0x3FF) << 13) : bits;
    }
}
