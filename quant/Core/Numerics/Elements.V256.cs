using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Numerics;

// The lane layout is that of Elements.V128.cs. Only float32 leaves its pairs out of order here, because 256-bit shuffles work
// within 128-bit halves; InOrder puts the finished bytes right, once for both vectors.
internal partial interface IElement
{
    /// <inheritdoc cref="MaxMagnitude(Vector128{byte}, Vector128{byte})"/>
    static abstract Vector256<byte> MaxMagnitude(Vector256<byte> running, Vector256<byte> stored);

    /// <summary>Widens the 16 values at <paramref name="source"/>: even index and odd index, a pair in the same lane of
    /// both. Exact for finite values. Reads 16 * Size bytes, any alignment.</summary>
    static abstract void LoadPairs(ref byte source, out Vector256<float> even, out Vector256<float> odd);

    /// <summary>Rearranges what was computed per pair into the order of the pairs in memory.</summary>
    static abstract Vector256<uint> InOrder(Vector256<uint> pairs);
}

internal readonly partial struct F32Element
{
    public static Vector256<byte> MaxMagnitude(Vector256<byte> running, Vector256<byte> stored) =>
        Vector256.Max(running.AsInt32(), stored.AsInt32() & Vector256.Create(0x7FFF_FFFF)).AsByte();

    public static void LoadPairs(ref byte source, out Vector256<float> even, out Vector256<float> odd)
    {
        Vector256<float> low = Vector256.LoadUnsafe(ref source).AsSingle();
        Vector256<float> high = Vector256.LoadUnsafe(ref source, 32).AsSingle();
        even = Avx.Shuffle(low, high, 0b10_00_10_00);
        odd = Avx.Shuffle(low, high, 0b11_01_11_01);
    }

    // Pairs arrive as 0 1 4 5 2 3 6 7.
    public static Vector256<uint> InOrder(Vector256<uint> pairs) =>
        Avx2.Permute4x64(pairs.AsUInt64(), 0b11_01_10_00).AsUInt32();
}

internal readonly partial struct F16Element
{
    public static Vector256<byte> MaxMagnitude(Vector256<byte> running, Vector256<byte> stored) =>
        Vector256.Max(running.AsInt16(), stored.AsInt16() & Vector256.Create((short)0x7FFF)).AsByte();

    public static void LoadPairs(ref byte source, out Vector256<float> even, out Vector256<float> odd)
    {
        Vector256<int> pairs = Vector256.LoadUnsafe(ref source).AsInt32();
        Vector256<int> mask = Vector256.Create(RebiasMask);
        even = (((pairs << 16) >> 3) & mask).AsSingle() * Vector256.Create(Rebias);
        odd = ((pairs >> 3) & mask).AsSingle() * Vector256.Create(Rebias);
    }

    public static Vector256<uint> InOrder(Vector256<uint> pairs) => pairs;
}

internal readonly partial struct BF16Element
{
    public static Vector256<byte> MaxMagnitude(Vector256<byte> running, Vector256<byte> stored) =>
        Vector256.Max(running.AsInt16(), stored.AsInt16() & Vector256.Create((short)0x7FFF)).AsByte();

    public static void LoadPairs(ref byte source, out Vector256<float> even, out Vector256<float> odd)
    {
        Vector256<uint> pairs = Vector256.LoadUnsafe(ref source).AsUInt32();
        even = (pairs << 16).AsSingle();
        odd = (pairs & Vector256.Create(0xFFFF_0000u)).AsSingle();
    }

    public static Vector256<uint> InOrder(Vector256<uint> pairs) => pairs;
}
