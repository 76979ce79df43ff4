using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Gemm;

/// <summary>AVX-VNNI: 6 rows of w by 2 vectors of 8 rows of x, four columns per word. vpdpbusd multiplies unsigned by signed
/// bytes, so 128 is added to each weight; it does not saturate. (.NET 10 has it for 256 bits only.)</summary>
internal readonly unsafe struct Int8TileVnni : IInt8Tile
{
    /// <summary>Added to a code, its sign bit turned: the code plus 128, as an unsigned byte.</summary>
    private const byte SignBit = 0x80;

    public static int Lanes => 16;

    public static int Rows => 6;

    public static int Columns => 4;

    public static int Offset => 128;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(int steps, int* w, int* x, int* sums, nint stride, bool add)
    {
        const int S = Int8GemmDriver.TileStride;
        Vector256<int> a0 = default, a1 = default, a2 = default, a3 = default, a4 = default, a5 = default;
        Vector256<int> b0 = default, b1 = default, b2 = default, b3 = default, b4 = default, b5 = default;
        for (int* end = w + steps; w < end; w++)
        {
            Vector256<sbyte> first = Vector256.Load(x).AsSByte(), second = Vector256.Load(x + 8).AsSByte();
            x += 16;
            Add(w[0 * S], first, second, ref a0, ref b0);
            Add(w[1 * S], first, second, ref a1, ref b1);
            Add(w[2 * S], first, second, ref a2, ref b2);
            Add(w[3 * S], first, second, ref a3, ref b3);
            Add(w[4 * S], first, second, ref a4, ref b4);
            Add(w[5 * S], first, second, ref a5, ref b5);
        }

        Int8Tile256.Store(sums + 0 * stride, a0, b0, add);
        Int8Tile256.Store(sums + 1 * stride, a1, b1, add);
        Int8Tile256.Store(sums + 2 * stride, a2, b2, add);
        Int8Tile256.Store(sums + 3 * stride, a3, b3, add);
        Int8Tile256.Store(sums + 4 * stride, a4, b4, add);
        Int8Tile256.Store(sums + 5 * stride, a5, b5, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Fill(sbyte* source, int count, int* words)
    {
        byte* codes = (byte*)words;
        int p = 0;
        for (; p <= count - 32; p += 32) Turned(source + p).Store(codes + p);
        for (; p < count; p++) codes[p] = (byte)((byte)source[p] ^ SignBit);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Dot(int count, sbyte* w, sbyte* x)
    {
        Vector256<int> s0 = default, s1 = default, s2 = default, s3 = default;
        int p = 0;
        for (; p <= count - 128; p += 128)
        {
            s0 = AvxVnni.MultiplyWideningAndAdd(s0, Turned(w + p), Vector256.Load(x + p));
            s1 = AvxVnni.MultiplyWideningAndAdd(s1, Turned(w + p + 32), Vector256.Load(x + p + 32));
            s2 = AvxVnni.MultiplyWideningAndAdd(s2, Turned(w + p + 64), Vector256.Load(x + p + 64));
            s3 = AvxVnni.MultiplyWideningAndAdd(s3, Turned(w + p + 96), Vector256.Load(x + p + 96));
        }

        int sum = Vector256.Sum((s0 + s1) + (s2 + s3));
        for (; p < count; p++) sum += (w[p] + Offset) * x[p];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Turned(sbyte* codes) => Vector256.Load((byte*)codes) ^ Vector256.Create(SignBit);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(
        int weights, Vector256<sbyte> first, Vector256<sbyte> second, ref Vector256<int> a, ref Vector256<int> b)
    {
        Vector256<byte> spread = Vector256.Create(weights).AsByte();
        a = AvxVnni.MultiplyWideningAndAdd(a, spread, first);
        b = AvxVnni.MultiplyWideningAndAdd(b, spread, second);
    }
}
