using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Gemm;

/// <summary>AVX-512: 12 rows of w by 2 vectors of 16 rows of x, 24 of the 32 registers as sums.</summary>
internal readonly unsafe struct Tile512 : IGemmTile
{
    public static int Lanes => 32;

    public static int Rows => 12;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int length, float* w, float* x, float* sums, nint stride, bool add)
    {
        const int S = GemmDriver.TileStride;
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default;
        Vector512<float> a6 = default, a7 = default, a8 = default, a9 = default, a10 = default, a11 = default;
        Vector512<float> b0 = default, b1 = default, b2 = default, b3 = default, b4 = default, b5 = default;
        Vector512<float> b6 = default, b7 = default, b8 = default, b9 = default, b10 = default, b11 = default;
        for (float* end = w + length; w < end; w++)
        {
            Vector512<float> first = Vector512.Load(x), second = Vector512.Load(x + 16);
            x += 32;
            Add(w[0 * S], first, second, ref a0, ref b0);
            Add(w[1 * S], first, second, ref a1, ref b1);
            Add(w[2 * S], first, second, ref a2, ref b2);
            Add(w[3 * S], first, second, ref a3, ref b3);
            Add(w[4 * S], first, second, ref a4, ref b4);
            Add(w[5 * S], first, second, ref a5, ref b5);
            Add(w[6 * S], first, second, ref a6, ref b6);
            Add(w[7 * S], first, second, ref a7, ref b7);
            Add(w[8 * S], first, second, ref a8, ref b8);
            Add(w[9 * S], first, second, ref a9, ref b9);
            Add(w[10 * S], first, second, ref a10, ref b10);
            Add(w[11 * S], first, second, ref a11, ref b11);
        }

        Store(sums + 0 * stride, a0, b0, add);
        Store(sums + 1 * stride, a1, b1, add);
        Store(sums + 2 * stride, a2, b2, add);
        Store(sums + 3 * stride, a3, b3, add);
        Store(sums + 4 * stride, a4, b4, add);
        Store(sums + 5 * stride, a5, b5, add);
        Store(sums + 6 * stride, a6, b6, add);
        Store(sums + 7 * stride, a7, b7, add);
        Store(sums + 8 * stride, a8, b8, add);
        Store(sums + 9 * stride, a9, b9, add);
        Store(sums + 10 * stride, a10, b10, add);
        Store(sums + 11 * stride, a11, b11, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(int length, float* w, float* x)
    {
        // Four sums, because one addition takes as long as four can be begun in.
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        int p = 0;
        for (; p <= length - 64; p += 64)
        {
            s0 = Avx512F.FusedMultiplyAdd(Vector512.Load(w + p), Vector512.Load(x + p), s0);
            s1 = Avx512F.FusedMultiplyAdd(Vector512.Load(w + p + 16), Vector512.Load(x + p + 16), s1);
            s2 = Avx512F.FusedMultiplyAdd(Vector512.Load(w + p + 32), Vector512.Load(x + p + 32), s2);
            s3 = Avx512F.FusedMultiplyAdd(Vector512.Load(w + p + 48), Vector512.Load(x + p + 48), s3);
        }

        float sum = Vector512.Sum((s0 + s1) + (s2 + s3));
        for (; p < length; p++) sum += w[p] * x[p];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        float weight, Vector512<float> first, Vector512<float> second, ref Vector512<float> a, ref Vector512<float> b)
    {
        Vector512<float> spread = Vector512.Create(weight);
        a = Avx512F.FusedMultiplyAdd(spread, first, a);
        b = Avx512F.FusedMultiplyAdd(spread, second, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* sums, Vector512<float> a, Vector512<float> b, bool add)
    {
        if (add)
        {
            a += Vector512.Load(sums);
            b += Vector512.Load(sums + 16);
        }

        a.Store(sums);
        b.Store(sums + 16);
    }
}
