using Bnb.Quant.ScaledCodes;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>FP8 rows: E4M3 code * scale of the row, as <see cref="DecodeCodes"/> decodes it before any rounding. No map, no
/// phase.</summary>
internal readonly struct WeightsFp8 : IPackedWeights
{
    private const int NaN = 0x7F, QuietNaN = 0x7FC0_0000;

    /// <summary>2^120, which moves an E4M3 exponent read with the bias of binary32 to its place.</summary>
    private const float Rebias = 1.329227995784916e36f;

    public static int MapLength => 0;

    public static int WideLoad => 16;

    public static Quad Load8(ArrayView<byte> codes, long position) => Weights8.Load8(codes, position);

    public static Quad Load16(ArrayView<byte> codes, long position) => Weights8.Load16(codes, position);

    public static Scaling Scale(ArrayView<float> absmax, long position, int row, ProductShape shape) => new() { Factor = absmax[row] };

    public static float Value(Quad codes, int place, Scaling scale, ArrayView<float> map) =>
        Of(Words.Of(codes, place >> 2) >> (8 * (place & 3)), scale.Factor);

    public static float At(
        ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<float> map, long position, int row, ProductShape shape) =>
        Of(codes[position], absmax[row]);

    /// <summary>The value of the code in the lowest byte. A subnormal code becomes a subnormal binary32 on the way and is exact after it.</summary>
    private static float Of(int code, float scale)
    {
        int magnitude = code & 0x7F, bits = Bits.Of(Bits.ToSingle(magnitude << 20) * Rebias);
        return Bits.ToSingle(magnitude == NaN ? QuietNaN : bits | ((code & 0x80) << 24)) * scale;
    }
}
