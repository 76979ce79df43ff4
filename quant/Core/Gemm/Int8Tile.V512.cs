using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Gemm;

/// <summary>AVX-512 F and BW: 12 rows of w by 2 vectors of 16 rows of x, two columns per word (vpmaddwd on 16 bits).</summary>
internal readonly unsafe struct Int8Tile512 : IInt8Tile
{
    public static int Lanes => 32;

    public static int Rows => 12;

    public static int Columns => 2;

    public static int Offset => 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int steps, int* w, int* x, int* sums, nint stride, bool add)
    {
        const int S = Int8GemmDriver.TileStride;
        Vector512<int> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default;
        Vector512<int> a6 = default, a7 = default, a8 = default, a9 = default, a10 = default, a11 = default;
        Vector512<int> b0 = default, b1 = default, b2 = default, b3 = default, b4 = default, b5 = default;
        Vector512<int> b6 = default, b7 = default, b8 = default, b9 = default, b10 = default, b11 = default;
        for (int* end = w + steps; w < end; w++)
        {
            Vector512<short> first = Vector512.Load(x).AsInt16(), second = Vector512.Load(x + 16).AsInt16();
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
    public static void Fill(sbyte* source, int count, int* words)
    {
        int p = 0;
        for (; p <= count - 32; p += 32)
        {
            Avx512BW.ConvertToVector512Int16(Vector256.Load(source + p)).Store((short*)words + p);
        }

        Int8Pairs.Fill(source + p, count - p, words + p / 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Dot(int count, sbyte* w, sbyte* x)
    {
        Vector512<int> first = default, second = default;
        int p = 0;
        for (; p <= count - 64; p += 64)
        {
            first += Multiply(w + p, x + p);
            second += Multiply(w + p + 32, x + p + 32);
        }

        return Vector512.Sum(first + second) + Int8Pairs.Dot(count - p, w + p, x + p);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Multiply(sbyte* w, sbyte* x) => Avx512BW.MultiplyAddAdjacent(
        Avx512BW.ConvertToVector512Int16(Vector256.Load(w)), Avx512BW.ConvertToVector512Int16(Vector256.Load(x)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        int weights, Vector512<short> first, Vector512<short> second, ref Vector512<int> a, ref Vector512<int> b)
    {
        Vector512<short> spread = Vector512.Create(weights).AsInt16();
        a += Avx512BW.MultiplyAddAdjacent(spread, first);
        b += Avx512BW.MultiplyAddAdjacent(spread, second);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(int* sums, Vector512<int> a, Vector512<int> b, bool add)
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
