using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Bnb.Quant.Gemm;

/// <summary>AVX2: 6 rows of w by 2 vectors of 8 rows of x, 12 of the 16 registers as sums.</summary>
internal readonly unsafe struct Tile256 : IGemmTile
{
    public static int Lanes => 16;

    public static int Rows => 6;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int length, float* w, float* x, float* sums, nint stride, bool add)
    {
        const int S = GemmDriver.TileStride;
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default;
        Vector256<float> b0 = default, b1 = default, b2 = default, b3 = default, b4 = default, b5 = default;
        for (float* end = w + length; w < end; w++)
        {
            Vector256<float> first = Vector256.Load(x), second = Vector256.Load(x + 8);
            x += 16;
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
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        int p = 0;
        for (; p <= length - 32; p += 32)
        {
            s0 = MultiplyAdd(Vector256.Load(w + p), Vector256.Load(x + p), s0);
            s1 = MultiplyAdd(Vector256.Load(w + p + 8), Vector256.Load(x + p + 8), s1);
            s2 = MultiplyAdd(Vector256.Load(w + p + 16), Vector256.Load(x + p + 16), s2);
            s3 = MultiplyAdd(Vector256.Load(w + p + 24), Vector256.Load(x + p + 24), s3);
        }

        float sum = Vector256.Sum((s0 + s1) + (s2 + s3));
        for (; p < length; p++) sum += w[p] * x[p];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        float weight, Vector256<float> first, Vector256<float> second, ref Vector256<float> a, ref Vector256<float> b)
    {
        Vector256<float> spread = Vector256.Create(weight);
        a = MultiplyAdd(spread, first, a);
        b = MultiplyAdd(spread, second, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* sums, Vector256<float> a, Vector256<float> b, bool add)
    {
        if (add)
        {
            a += Vector256.Load(sums);
            b += Vector256.Load(sums + 8);
        }

        a.Store(sums);
        b.Store(sums + 8);
    }

    // Fused where the machine has FMA, as all with AVX2 but a few early ones do; the bound holds for both.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> MultiplyAdd(Vector256<float> left, Vector256<float> right, Vector256<float> addend) =>
        Vector256.MultiplyAddEstimate(left, right, addend);
}
