using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Bnb.Quant.Numerics;

// The lane layout is that of Elements.V128.cs.
internal partial interface IElement
{
    /// <inheritdoc cref="MaxMagnitude(Vector128{byte}, Vector128{byte})"/>
    static abstract Vector512<byte> MaxMagnitude(Vector512<byte> running, Vector512<byte> stored);

    /// <summary>Widens the 32 values at <paramref name="source"/>: those of even index and those of odd index, each in order.
    /// Exact for finite values. Reads 32 * Size bytes, any alignment.</summary>
    static abstract void LoadPairs(ref byte source, out Vector512<float> even, out Vector512<float> odd);
}

internal readonly partial struct F32Element
{
    public static Vector512<byte> MaxMagnitude(Vector512<byte> running, Vector512<byte> stored) =>
        Avx512F.Max(running.AsInt32(), stored.AsInt32() & Vector512.Create(0x7FFF_FFFF)).AsByte();

    public static void LoadPairs(ref byte source, out Vector512<float> even, out Vector512<float> odd)
    {
        Vector512<float> low = Vector512.LoadUnsafe(ref source).AsSingle();
        Vector512<float> high = Vector512.LoadUnsafe(ref source, 64).AsSingle();
        Vector512<int> evens = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        even = Avx512F.PermuteVar16x32x2(low, evens, high);
        odd = Avx512F.PermuteVar16x32x2(low, evens + Vector512<int>.One, high);
    }
}

internal readonly partial struct F16Element
{
    public static Vector512<byte> MaxMagnitude(Vector512<byte> running, Vector512<byte> stored) =>
        Avx512BW.Max(running.AsInt16(), stored.AsInt16() & Vector512.Create((short)0x7FFF)).AsByte();

    public static void LoadPairs(ref byte source, out Vector512<float> even, out Vector512<float> odd)
    {
        Vector512<int> pairs = Vector512.LoadUnsafe(ref source).AsInt32();
        Vector512<int> mask = Vector512.Create(RebiasMask);
        even = (((pairs << 16) >> 3) & mask).AsSingle() * Vector512.Create(Rebias);
        odd = ((pairs >> 3) & mask).AsSingle() * Vector512.Create(Rebias);
    }
}

internal readonly partial struct BF16Element
{
    public static Vector512<byte> MaxMagnitude(Vector512<byte> running, Vector512<byte> stored) =>
        Avx512BW.Max(running.AsInt16(), stored.AsInt16() & Vector512.Create((short)0x7FFF)).AsByte();

    public static void LoadPairs(ref byte source, out Vector512<float> even, out Vector512<float> odd)
    {
        Vector512<uint> pairs = Vector512.LoadUnsafe(ref source).AsUInt32();
        even = (pairs << 16).AsSingle();
        odd = (pairs & Vector512.Create(0xFFFF_0000u)).AsSingle();
    }
}
