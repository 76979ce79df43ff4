using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>INT4 in groups: R((code - offset) * scale), R = rounding to the scales' type; the first of 8 codes in the lowest
/// nibble of a word. Scales come as pairs of scale and offset, the offset being 8 + the zero point. No map, no phase.</summary>
internal readonly struct WeightsGroups4<TScale> : IPackedWeights
    where TScale : struct, IStored
{
    public static int MapLength => 0;

    public static int WideLoad => 32;

    public static Quad Load8(ArrayView<byte> codes, long position) => new() { A = codes.Cast<int>()[position >> 3] };

    public static Quad Load16(ArrayView<byte> codes, long position)
    {
        Pair pair = codes.Cast<Pair>().AsAligned(8)[position >> 4];
        return new Quad { A = pair.A, B = pair.B };
    }

    public static Scaling Scale(ArrayView<float> absmax, long position, int row, ProductShape shape)
    {
        long group = position >> shape.BlockShift;
        return new Scaling { Factor = absmax[2 * group], Offset = absmax[2 * group + 1] };
    }

    public static float Value(Quad codes, int place, Scaling scale, ArrayView<float> map) =>
        Of((Words.Of(codes, place >> 3) >> ((place & 7) << 2)) & 15, scale);

    public static float At(
        ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<float> map, long position, int row, ProductShape shape) =>
        Of(codes[position >> 1] >> (4 * (int)(position & 1)) & 15, Scale(absmax, position, row, shape));

    private static float Of(int code, Scaling scale) => TScale.Rounded((code - scale.Offset) * scale.Factor);
}
