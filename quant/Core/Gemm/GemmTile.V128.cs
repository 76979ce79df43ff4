using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Gemm;

/// <summary>Portable: 6 rows of w by 2 vectors of 4 rows of x, 12 of the 16 registers as sums.</summary>
internal readonly unsafe struct Tile128 : IGemmTile
{
    public static int Lanes => 8;

    public static int Rows => 6;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int length, float* w, float* x, float* sums, nint stride, bool add)
    {
        const int S = GemmDriver.TileStride;
        Vector128<float> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default;
        Vector128<float> b0 = default, b1 = default, b2 = default, b3 = default, b4 = default, b5 = default;
        for (float* end = w + length; w < end; w++)
        {
            Vector128<float> first = Vector128.Load(x), second = Vector128.Load(x + 4);
            x += 8;
            Add(w[0 * S], first, second, ref a0, ref b0);
            Add(w[1 * S], first, second, ref a1, ref b1);
            Add(w[2 * S], first, second, ref a2, ref b2);
            Add(w[3 * S], first, second, ref a3, ref b3);
            Add(w[4 * S], first, second, ref a4, ref b4);
            Add(w[5 * S], first, second, ref a5, ref b5);
        }

        Store(sums + 0 * stride, a0, b0, add);
        Store(sums + 1 * stride, a1, b1, add);
        Store(sums + 2 * stride, a2, b2, add);
        Store(sums + 3 * stride, a3, b3, add);
        Store(sums + 4 * stride, a4, b4, add);
        Store(sums + 5 * stride, a5, b5, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(int length, float* w, float* x)
    {
        Vector128<float> s0 = default, s1 = default, s2 = default, s3 = default;
        int p = 0;
        for (; p <= length - 16; p += 16)
        {
            s0 = MultiplyAdd(Vector128.Load(w + p), Vector128.Load(x + p), s0);
            s1 = MultiplyAdd(Vector128.Load(w + p + 4), Vector128.Load(x + p + 4), s1);
            s2 = MultiplyAdd(Vector128.Load(w + p + 8), Vector128.Load(x + p + 8), s2);
            s3 = MultiplyAdd(Vector128.Load(w + p + 12), Vector128.Load(x + p + 12), s3);
        }

        float sum = Vector128.Sum((s0 + s1) + (s2 + s3));
        for (; p < length; p++) sum += w[p] * x[p];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        float weight, Vector128<float> first, Vector128<float> second, ref Vector128<float> a, ref Vector128<float> b)
    {
        Vector128<float> spread = Vector128.Create(weight);
        a = MultiplyAdd(spread, first, a);
        b = MultiplyAdd(spread, second, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* sums, Vector128<float> a, Vector128<float> b, bool add)
    {
        if (add)
        {
            a += Vector128.Load(sums);
            b += Vector128.Load(sums + 4);
        }

        a.Store(sums);
        b.Store(sums + 4);
    }

    // Fused where the machine can; the bound holds for both.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> MultiplyAdd(Vector128<float> left, Vector128<float> right, Vector128<float> addend) =>
        Vector128.MultiplyAddEstimate(left, right, addend);
}
