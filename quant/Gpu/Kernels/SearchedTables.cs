using Bnb.Quant.Search;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary><see cref="ISearchTable"/> in kernels: the values that a scale multiplies, and which of them stands for y.</summary>
internal interface ISearchedTable
{
    /// <summary>Whether the values of negative y are those of positive y, negated: negative scales are not looked at.</summary>
    static abstract bool Mirrored { get; }

    /// <summary>How many codes a byte holds: 1 or 2.</summary>
    static abstract int CodesPerByte { get; }

    /// <summary>The value of y, which is any number. Exact.</summary>
    /// <param name="buckets">32, of the 4-bit types.</param>
    /// <param name="values">16 by code, of the 4-bit types.</param>
    /// <param name="zero">0, unknown to the compiler.</param>
    static abstract float Value(float y, ArrayView<long> buckets, ArrayView<float> values, int zero);

    /// <summary>The code of y. Exact.</summary>
    static abstract int Code(float y, ArrayView<long> buckets);

    /// <summary>Two neighbouring codes as they are packed.</summary>
    static abstract int Pack(int first, int second);
}

/// <summary>nf4 and fp4: look-ups as in <see cref="BucketEncoder{TCode}"/>, with y cut off to [-1, 1], where the buckets
/// end and beyond which no threshold lies.</summary>
internal readonly struct SearchedCode<TCode> : ISearchedTable
    where TCode : struct, IRankedCode
{
    public static bool Mirrored => TCode.Key(-1f) > 0f;

    public static int CodesPerByte => 2;

    public static float Value(float y, ArrayView<long> buckets, ArrayView<float> values, int zero) => values[Code(y, buckets)];

    public static int Code(float y, ArrayView<long> buckets)
    {
        float low = y < -1f ? -1f : y, inside = low > 1f ? 1f : low, key = TCode.Key(inside);
        long bucket = buckets[Bucket.PlaceOf(key)];
        return TCode.Code(Bucket.Rank(bucket) + (key > Bucket.Bound(bucket) ? 1 : 0), y);
    }

    public static int Pack(int first, int second) => (first << 4) | second;
}

/// <summary><see cref="Int4Table"/>: integers from -8 to 7, codes from 0 to 15.</summary>
internal readonly struct SearchedInt4 : ISearchedTable
{
    public static bool Mirrored => false;

    public static int CodesPerByte => 2;

    public static float Value(float y, ArrayView<long> buckets, ArrayView<float> values, int zero) => Integer(y);

    public static int Code(float y, ArrayView<long> buckets) => Integer(y) + 8;

    public static int Pack(int first, int second) => first | (second << 4);

    private static int Integer(float y)
    {
        float low = y < -8f ? -8f : y;
        return Shifted.ToInteger(low > 7f ? 7f : low);
    }
}

/// <summary><see cref="Int8Table"/>: codes from -127 to 127, whose values are so many times 0.0078740157.</summary>
internal readonly struct SearchedInt8 : ISearchedTable
{
    private const float Step = 7.874015718698502e-3f;

    public static bool Mirrored => true;

    public static int CodesPerByte => 1;

    // The product must be rounded before anything is subtracted from it.
    public static float Value(float y, ArrayView<long> buckets, ArrayView<float> values, int zero) =>
        Bits.ToSingle(Bits.Of(Integer(y) * Step) ^ zero);

    public static int Code(float y, ArrayView<long> buckets) => Integer(y);

    public static int Pack(int first, int second) => first;

    private static int Integer(float y)
    {
        float times = y * 127f, low = times < -127f ? -127f : times;
        return Shifted.ToInteger(low > 127f ? 127f : low);
    }
}

/// <summary>Rounding by a sum.</summary>
internal static class Shifted
{
    /// <summary>1.5 * 2^23: the sum with it ends at the nearest integer, ties to even.</summary>
    private const float Shifter = 12582912f;

    private const int ShifterBits = 0x4B40_0000;

    /// <summary>The integer nearest to a number between -2^22 and 2^22, which is not a product.</summary>
    public static int ToInteger(float value) => Bits.Of(value + Shifter) - ShifterBits;
}
