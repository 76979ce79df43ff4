using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>AVX-512 F and BW, 32 values at a time: one vector of even and one of odd positions, which share a 16-bit half of
/// each lane in the end.</summary>
internal readonly struct RowKernel512 : IRowKernel
{
    public static int Least => 32;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static uint MaxMagnitude<TElement>(ref byte values, int count)
        where TElement : struct, IElement
    {
        // Inside the values: count >= 32, so there are at least 64 bytes, and the last vector ends where they end.
        nuint last = (nuint)count * (nuint)TElement.Size - 64;
        Vector512<byte> running = TElement.MaxMagnitude(Vector512<byte>.Zero, Vector512.LoadUnsafe(ref values, last));
        for (nuint offset = 0; offset < last; offset += 64)
        {
            running = TElement.MaxMagnitude(running, Vector512.LoadUnsafe(ref values, offset));
        }

        Vector256<byte> half = TElement.MaxMagnitude(running.GetLower(), running.GetUpper());
        return TElement.Reduce(TElement.MaxMagnitude(half.GetLower(), half.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Encode<TElement>(ref byte values, int count, float scale, ref sbyte codes)
        where TElement : struct, IElement
    {
        nuint last = (nuint)count - 32;
        Vector512<float> scales = Vector512.Create(scale);
        for (nuint i = 0; i < last; i += 32) Step<TElement>(ref values, i, scales, ref codes);
        Step<TElement>(ref values, last, scales, ref codes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TElement>(ref byte values, nuint index, Vector512<float> scale, ref sbyte codes)
        where TElement : struct, IElement
    {
        Vector512<float> magic = Vector512.Create(RowRounding.Magic);
        TElement.LoadPairs(
            ref Unsafe.Add(ref values, index * (nuint)TElement.Size), out Vector512<float> even, out Vector512<float> odd);
        Vector512<uint> first = (TElement.RoundToHalf(even) * scale + magic).AsUInt32();
        Vector512<uint> second = (TElement.RoundToHalf(odd) * scale + magic).AsUInt32();
        Vector512<uint> words = Vector512.ConditionalSelect(Vector512.Create(0xFFu), first, second << 8);
        Avx512F.ConvertToVector256UInt16(words).AsSByte().StoreUnsafe(ref codes, index);
    }
}
