using Bnb.Quant.Int8;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>Weights as the products see them: stored codes and scales in, unrounded float32 out. Positions count
/// from the first stored code, so they include the phase.</summary>
internal interface IWeights
{
    /// <summary>How many values of a map the codes index, 0 for none. The kernels put them into shared memory.</summary>
    static abstract int MapLength { get; }

    /// <summary>The weight of a row at any position.</summary>
    static abstract float At(
        ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<float> map, long position, int row, ProductShape shape);
}

/// <summary>Quantized weights, whose codes are so small that several come with one access.</summary>
internal interface IPackedWeights : IWeights
{
    /// <summary>The codes of 8 weights from a position that is a multiple of 8, in one access.</summary>
    static abstract Quad Load8(ArrayView<byte> codes, long position);

    /// <summary>Weights in 16 bytes of codes.</summary>
    static abstract int WideLoad { get; }

    /// <summary>The codes of 16 weights from a position that is a multiple of 16, in one access.</summary>
    static abstract Quad Load16(ArrayView<byte> codes, long position);

    /// <summary>What scales the weight of a row at a position.</summary>
    static abstract Scaling Scale(ArrayView<float> absmax, long position, int row, ProductShape shape);

    /// <summary>One of the loaded weights. The place is a constant at every call.</summary>
    static abstract float Value(Quad codes, int place, Scaling scale, ArrayView<float> map);
}

/// <summary>Weights that are float32 already, for decoded ones. No scales, no map, no phase.</summary>
internal readonly struct WeightsF32 : IWeights
{
    public static int MapLength => 0;

    public static float At(
        ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<float> map, long position, int row, ProductShape shape) =>
        codes.Cast<float>()[position];
}

/// <summary>nf4 and fp4: map[code] * absmax of the block, the first of two codes in the high nibble.</summary>
internal readonly struct Weights4 : IPackedWeights
{
    public static int MapLength => 16;

    public static int WideLoad => 32;

    public static Quad Load8(ArrayView<byte> codes, long position) => new() { A = codes.Cast<int>()[position >> 3] };

    public static Quad Load16(ArrayView<byte> codes, long position)
    {
        Pair pair = codes.Cast<Pair>().AsAligned(8)[position >> 4];
        return new Quad { A = pair.A, B = pair.B };
    }

    public static Scaling Scale(ArrayView<float> absmax, long position, int row, ProductShape shape) =>
        new() { Factor = absmax[position >> shape.BlockShift] };

    public static float Value(Quad codes, int place, Scaling scale, ArrayView<float> map) =>
        map[(Words.Of(codes, place >> 3) >> (((place & 7) ^ 1) << 2)) & 15] * scale.Factor;

    public static float At(
        ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<float> map, long position, int row, ProductShape shape)
    {
        int code = codes[position >> 1] >> (4 - 4 * (int)(position & 1)) & 15;
        return map[code] * absmax[position >> shape.BlockShift];
    }
}

/// <summary>LLM.int8(): (code * absmax of the row) * 1/127, two products in that order as in
/// <see cref="DequantizeRows8"/>. No map, no phase.</summary>
internal readonly struct Weights8 : IPackedWeights
{
    public static int MapLength => 0;

    public static int WideLoad => 16;

    public static Quad Load8(ArrayView<byte> codes, long position)
    {
        Pair pair = codes.Cast<Pair>().AsAligned(8)[position >> 3];
        return new Quad { A = pair.A, B = pair.B };
    }

    public static Quad Load16(ArrayView<byte> codes, long position) => codes.Cast<Quad>().AsAligned(16)[position >> 4];

    public static Scaling Scale(ArrayView<float> absmax, long position, int row, ProductShape shape) => new() { Factor = absmax[row] };

    public static float Value(Quad codes, int place, Scaling scale, ArrayView<float> map) =>
        Of(Code(codes, place), scale.Factor);

    public static float At(
        ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<float> map, long position, int row, ProductShape shape) =>
        Of(((int)codes[position] << 24) >> 24, absmax[row]);

    /// <summary>One of the loaded codes. The place is a constant at every call.</summary>
    public static int Code(Quad codes, int place) => (Words.Of(codes, place >> 2) << (24 - 8 * (place & 3))) >> 24;

    /// <summary>The value of a code from -128 to 127. Only products, so nothing can be fused; the device must not reorder
    /// them, and none does without being asked.</summary>
    public static float Of(int code, float absmax) => code * absmax * DequantizeRows8.Reciprocal;
}
