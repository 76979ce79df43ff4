using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>How one value of a block becomes a code.</summary>
internal interface IEncoder
{
    /// <summary>The code of a value, 0 to 15.</summary>
    static abstract int Encode(
        float value, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds);
}

/// <summary>A 4-bit type: over what the rank is taken, and what code a rank has. As <see cref="ICode4"/> states it.</summary>
internal interface IRankedCode
{
    /// <summary>x, or |x| for sign and magnitude.</summary>
    static abstract float Key(float x);

    /// <summary>The code of a rank, with the sign of x where the type has one.</summary>
    static abstract int Code(int rank, float x);
}

/// <summary><see cref="Nf4"/>: the rank is the code.</summary>
internal readonly struct RankedNf4 : IRankedCode
{
    public static float Key(float x) => x;

    public static int Code(int rank, float x) => rank;
}

/// <summary><see cref="Fp4"/>: the ranks 0..7 of |x| have the codes 0, 1, 6, 7, 4, 5, 2, 3, and bit 3 says x &lt; 0.</summary>
internal readonly struct RankedFp4 : IRankedCode
{
    public static float Key(float x) => Bits.ToSingle(Bits.Of(x) & Magnitudes.Mask);

    public static int Code(int rank, float x) => rank ^ ((rank << 1) & 4) | (x < 0f ? 8 : 0);
}

/// <summary>
/// x = value * (1/absmax), the code by two look-ups and one comparison. Only for numbers with a finite reciprocal and a
/// finite absmax, so that |x| is at most a rounding above 1. Exact although the device may fuse the bucket's multiplication
/// and addition: any monotone bucket will do that puts the thresholds where the table has them, see
/// <c>GpuCode</c>.
/// </summary>
internal readonly struct BucketEncoder<TCode> : IEncoder
    where TCode : struct, IRankedCode
{
    public static int Encode(float value, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
    {
        float x = value * reciprocal;
        float key = TCode.Key(x);
        long bucket = table[Bucket.PlaceOf(key)];
        return TCode.Code(Bucket.Rank(bucket) + (key > Bucket.Bound(bucket) ? 1 : 0), x);
    }
}

/// <summary>The definition, for blocks with NaN, infinity, or an absmax whose reciprocal overflows: as
/// <see cref="BlockScale"/>, then every threshold below x counts one. NaN is above none and has no sign: code 0.</summary>
internal readonly struct CountingEncoder<TCode> : IEncoder
    where TCode : struct, IRankedCode
{
    public static int Encode(float value, float absmax, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
    {
        float x = DeviceBlockScale.Apply(value, absmax, reciprocal);
        float key = TCode.Key(x);
        int rank = 0;
        for (int i = 0; i < thresholds.IntLength; i++) rank += key > thresholds[i] ? 1 : 0;
        return TCode.Code(rank, x);
    }
}

/// <summary><see cref="BlockScale"/> in kernels.</summary>
internal static class DeviceBlockScale
{
    public static float Apply(float value, float absmax, float reciprocal)
    {
        bool overflows = (Bits.Of(reciprocal) & Magnitudes.Mask) == Magnitudes.Infinity;
        return overflows ? value / absmax : value * reciprocal;
    }
}
