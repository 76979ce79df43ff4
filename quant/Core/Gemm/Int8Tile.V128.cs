using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Gemm;

/// <summary>Portable: 4 rows of w by 2 vectors of 4 rows of x, two columns per word.</summary>
internal readonly unsafe struct Int8Tile128 : IInt8Tile
{
    public static int Lanes => 8;

    public static int Rows => 4;

    public static int Columns => 2;

    public static int Offset => 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int steps, int* w, int* x, int* sums, nint stride, bool add)
    {
        const int S = Int8GemmDriver.TileStride;
        Vector128<int> a0 = default, a1 = default, a2 = default, a3 = default;
        Vector128<int> b0 = default, b1 = default, b2 = default, b3 = default;
        for (int* end = w + steps; w < end; w++)
        {
            Vector128<int> first = Vector128.Load(x), second = Vector128.Load(x + 4);
            x += 8;
            Add(w[0 * S], first, second, ref a0, ref b0);
            Add(w[1 * S], first, second, ref a1, ref b1);
            Add(w[2 * S], first, second, ref a2, ref b2);
            Add(w[3 * S], first, second, ref a3, ref b3);
        }

        Store(sums + 0 * stride, a0, b0, add);
        Store(sums + 1 * stride, a1, b1, add);
        Store(sums + 2 * stride, a2, b2, add);
        Store(sums + 3 * stride, a3, b3, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Fill(sbyte* source, int count, int* words)
    {
        int p = 0;
        for (; p <= count - 16; p += 16)
        {
            (Vector128<short> low, Vector128<short> high) = Vector128.Widen(Vector128.Load(source + p));
            low.Store((short*)words + p);
            high.Store((short*)words + p + 8);
        }

        Int8Pairs.Fill(source + p, count - p, words + p / 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Dot(int count, sbyte* w, sbyte* x)
    {
        Vector128<int> first = default, second = default;
        int p = 0;
        for (; p <= count - 16; p += 16)
        {
            (Vector128<short> low, Vector128<short> high) = Vector128.Widen(Vector128.Load(w + p));
            (Vector128<short> xLow, Vector128<short> xHigh) = Vector128.Widen(Vector128.Load(x + p));
            first += Multiply(low.AsInt32(), xLow.AsInt32());
            second += Multiply(high.AsInt32(), xHigh.AsInt32());
        }

        return Vector128.Sum(first + second) + Int8Pairs.Dot(count - p, w + p, x + p);
    }

    /// <summary>The sums of the products of the two 16-bit halves of each word, for any processor.</summary>
    public static Vector128<int> MultiplyPortable(Vector128<int> w, Vector128<int> x) =>
        ((w << 16) >> 16) * ((x << 16) >> 16) + (w >> 16) * (x >> 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Multiply(Vector128<int> w, Vector128<int> x) =>
        Sse2.IsSupported ? Sse2.MultiplyAddAdjacent(w.AsInt16(), x.AsInt16()) : MultiplyPortable(w, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        int weights, Vector128<int> first, Vector128<int> second, ref Vector128<int> a, ref Vector128<int> b)
    {
        Vector128<int> spread = Vector128.Create(weights);
        a += Multiply(spread, first);
        b += Multiply(spread, second);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(int* sums, Vector128<int> a, Vector128<int> b, bool add)
    {
        if (add)
        {
            a += Vector128.Load(sums);
            b += Vector128.Load(sums + 4);
        }

        a.Store(sums);
        b.Store(sums + 4);
    }
}
