using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Codes;

namespace Bnb.Quant.Search;

/// <summary>A 4-bit data type of bitsandbytes as the search sees it. The vector members need the instruction sets of the
/// kernel path of their width.</summary>
internal readonly struct CodeTable<TCode> : ISearchTable
    where TCode : struct, ICode4
{
    private static readonly float[] Values = TCode.CreateValues();

    /// <summary>By rank: of x, or of |x| for sign-magnitude types (then the first 8).</summary>
    private static readonly float[] Ranked = [.. Insides().Select(inside => Values[TCode.Encode(inside)]), .. new float[TCode.SignMagnitude ? 8 : 0]];

    /// <summary>By rank; the sign bit of sign-magnitude types is added.</summary>
    private static readonly byte[] RankCodes = [.. Insides().Select(TCode.Encode)];

    public static float Top { get; } = Values.Max(MathF.Abs);

    public static float Zero { get; } = 0.999f * TCode.Thresholds.ToArray().Min(MathF.Abs);

    public static float Largest { get; } = 1f / TCode.Thresholds.ToArray().Min(MathF.Abs);

    public static ReadOnlySpan<float> Start => TCode.SignMagnitude
        ? [0.54f, 0.65f, 0.75f, 0.84f, 0.94f, 1.05f, 1.17f, 1.32f, 1.55f, 1.9f, 2.5f, 3.8f, 7f, 14f, 30f, 70f]
        : [0.63f, 0.74f, 0.83f, 0.91f, 0.99f, 1.07f, 1.16f, 1.26f, 1.38f, 1.52f, 1.7f, 1.92f, 2.2f, 2.6f, 3.1f, 3.8f];

    public static bool Mirrored => TCode.SignMagnitude;

    public static byte Encode(float y) => TCode.Encode(y);

    public static float ValueOf(byte code) => Values[code];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte CodeOf(float value)
    {
        // In bounds: the bucket is taken modulo the 32 entries, and ranks are below 16.
        float key = TCode.SignMagnitude ? MathF.Abs(value) : value;
        int bucket = BucketTable<TCode>.BucketOf(key) & 31;
        int rank = Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(BucketTable<TCode>.Ranks), bucket);
        rank += Unsafe.BitCast<bool, byte>(key > Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(BucketTable<TCode>.Bounds), bucket));
        byte code = Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(RankCodes), rank);
        return TCode.SignMagnitude ? (byte)(code | (BitConverter.SingleToInt32Bits(value) >>> 31 << 3)) : code;
    }

    // No table look-up of floats at this width: every bound is compared with, in ascending order.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Nearest(Vector128<float> y)
    {
        Vector128<float> key = TCode.SignMagnitude ? Vector128.Abs(y) : y;
        ref float ranked = ref MemoryMarshal.GetArrayDataReference(Ranked);
        Vector128<float> value = Vector128.Create(ranked);
        for (int i = 0; i < TCode.Thresholds.Length; i++)
        {
            Vector128<float> above = Vector128.GreaterThan(key, Vector128.Create(TCode.Thresholds[i]));
            value = Vector128.ConditionalSelect(above, Vector128.Create(Unsafe.Add(ref ranked, i + 1)), value);
        }

        return TCode.SignMagnitude
            ? Vector128.ConditionalSelect(Vector128.LessThan(y, Vector128<float>.Zero), -value, value)
            : value;
    }

    // A binary search over the bounds, as in Quantize4.V256.cs, whose last step is the value instead of the rank.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Nearest(Vector256<float> y)
    {
        ref float levels = ref MemoryMarshal.GetArrayDataReference(SearchTable<TCode>.Levels);
        ref float ranked = ref MemoryMarshal.GetArrayDataReference(Ranked);
        Vector256<float> key = TCode.SignMagnitude ? Vector256.Abs(y) : y;
        Vector256<int> upper = Vector256.GreaterThan(key, Vector256.Create(levels)).AsInt32();
        Vector256<int> rank = -upper;
        // Two and four entries fit into one half, where a look-up is cheaper than across halves.
        Vector256<float> level1 = Vector256.Create(Vector128.LoadUnsafe(ref levels, 8));
        rank = rank + rank - Vector256.GreaterThan(key, Avx.PermuteVar(level1, rank)).AsInt32();
        Vector256<float> level2 = Vector256.Create(Vector128.LoadUnsafe(ref levels, 16));
        rank = rank + rank - Vector256.GreaterThan(key, Avx.PermuteVar(level2, rank)).AsInt32();
        if (TCode.SignMagnitude)
        {
            Vector256<float> size = Avx2.PermuteVar8x32(Vector256.LoadUnsafe(ref ranked), rank);
            return (size.AsInt32() | (Vector256.LessThan(y, Vector256<float>.Zero).AsInt32() & Vector256.Create(int.MinValue))).AsSingle();
        }

        rank = rank + rank - Vector256.GreaterThan(key, Avx2.PermuteVar8x32(Vector256.LoadUnsafe(ref levels, 24), rank)).AsInt32();
        Vector256<float> low = Avx2.PermuteVar8x32(Vector256.LoadUnsafe(ref ranked), rank);
        Vector256<float> high = Avx2.PermuteVar8x32(Vector256.LoadUnsafe(ref ranked, 8), rank);
        return Avx.BlendVariable(low, high, upper.AsSingle());
    }

    // As in Quantize4.V512.cs; values beyond the ends are moved onto them first, because the buckets end there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Nearest(Vector512<float> y)
    {
        ref float bounds = ref MemoryMarshal.GetArrayDataReference(BucketTable<TCode>.Bounds);
        ref int ranks = ref MemoryMarshal.GetArrayDataReference(BucketTable<TCode>.Ranks);
        ref float ranked = ref MemoryMarshal.GetArrayDataReference(Ranked);
        Vector512<float> inside = Avx512F.Max(Avx512F.Min(y, Vector512<float>.One), -Vector512<float>.One);
        Vector512<float> key = TCode.SignMagnitude ? Vector512.Abs(inside) : inside;
        Vector512<int> bucket = Avx512F.FusedMultiplyAdd(
            key, Vector512.Create(BucketTable<TCode>.Density), Vector512.Create(BucketTable<TCode>.Shifter)).AsInt32();
        Vector512<float> bound = Avx512F.PermuteVar16x32x2(Vector512.LoadUnsafe(ref bounds), bucket, Vector512.LoadUnsafe(ref bounds, 16));
        Vector512<int> rank = Avx512F.PermuteVar16x32x2(Vector512.LoadUnsafe(ref ranks), bucket, Vector512.LoadUnsafe(ref ranks, 16));
        rank -= Vector512.GreaterThan(key, bound).AsInt32();
        Vector512<float> value = Avx512F.PermuteVar16x32(Vector512.LoadUnsafe(ref ranked), rank);
        return TCode.SignMagnitude
            ? (value.AsInt32() | (Vector512.LessThan(y, Vector512<float>.Zero).AsInt32() & Vector512.Create(int.MinValue))).AsSingle()
            : value;
    }

    /// <summary>A y of each rank.</summary>
    private static IEnumerable<float> Insides()
    {
        yield return TCode.SignMagnitude ? 0f : -1f;
        for (int rank = 0; rank < TCode.Thresholds.Length; rank++) yield return MathF.BitIncrement(TCode.Thresholds[rank]);
    }
}
