using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Gemm;

/// <summary>AVX2: 6 rows of w by 2 vectors of 8 rows of x, two columns per word (vpmaddwd on 16 bits, which cannot saturate:
/// 2 * 128 * 127 is far below 2^31).</summary>
internal readonly unsafe struct Int8Tile256 : IInt8Tile
{
    public static int Lanes => 16;

    public static int Rows => 6;

    public static int Columns => 2;

    public static int Offset => 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int steps, int* w, int* x, int* sums, nint stride, bool add)
    {
        const int S = Int8GemmDriver.TileStride;
        Vector256<int> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default;
        Vector256<int> b0 = default, b1 = default, b2 = default, b3 = default, b4 = default, b5 = default;
        for (int* end = w + steps; w < end; w++)
        {
            Vector256<short> first = Vector256.Load(x).AsInt16(), second = Vector256.Load(x + 8).AsInt16();
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
    public static void Fill(sbyte* source, int count, int* words)
    {
        int p = 0;
        for (; p <= count - 16; p += 16) Avx2.ConvertToVector256Int16(source + p).Store((short*)words + p);
        Int8Pairs.Fill(source + p, count - p, words + p / 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Dot(int count, sbyte* w, sbyte* x)
    {
        Vector256<int> first = default, second = default;
        int p = 0;
        for (; p <= count - 32; p += 32)
        {
            first += Avx2.MultiplyAddAdjacent(Avx2.ConvertToVector256Int16(w + p), Avx2.ConvertToVector256Int16(x + p));
            second += Avx2.MultiplyAddAdjacent(
                Avx2.ConvertToVector256Int16(w + p + 16), Avx2.ConvertToVector256Int16(x + p + 16));
        }

        return Vector256.Sum(first + second) + Int8Pairs.Dot(count - p, w + p, x + p);
    }

    /// <summary>Writes or adds two vectors of sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(int* sums, Vector256<int> a, Vector256<int> b, bool add)
    {
        if (add)
        {
            a += Vector256.Load(sums);
            b += Vector256.Load(sums + 8);
        }

        a.Store(sums);
        b.Store(sums + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        int weights, Vector256<short> first, Vector256<short> second, ref Vector256<int> a, ref Vector256<int> b)
    {
        Vector256<short> spread = Vector256.Create(weights).AsInt16();
        a += Avx2.MultiplyAddAdjacent(spread, first);
        b += Avx2.MultiplyAddAdjacent(spread, second);
    }
}
