using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>AVX2, 32 values at a time, as two times a vector of even and one of odd positions.</summary>
internal readonly struct RowKernel256 : IRowKernel
{
    public static int Least => 32;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static uint MaxMagnitude<TElement>(ref byte values, int count)
        where TElement : struct, IElement
    {
        // Inside the values: there are at least 64 bytes, and the last vector ends where they end.
        nuint last = (nuint)count * (nuint)TElement.Size - 32;
        Vector256<byte> running = TElement.MaxMagnitude(Vector256<byte>.Zero, Vector256.LoadUnsafe(ref values, last));
        for (nuint offset = 0; offset < last; offset += 32)
        {
            running = TElement.MaxMagnitude(running, Vector256.LoadUnsafe(ref values, offset));
        }

        return TElement.Reduce(TElement.MaxMagnitude(running.GetLower(), running.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Encode<TElement>(ref byte values, int count, float scale, ref sbyte codes)
        where TElement : struct, IElement
    {
        nuint last = (nuint)count - 32;
        Vector256<float> scales = Vector256.Create(scale);
        for (nuint i = 0; i < last; i += 32) Step<TElement>(ref values, i, scales, ref codes);
        Step<TElement>(ref values, last, scales, ref codes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TElement>(ref byte values, nuint index, Vector256<float> scale, ref sbyte codes)
        where TElement : struct, IElement
    {
        ref byte next = ref Unsafe.Add(ref values, index * (nuint)TElement.Size);
        Vector256<uint> low = Words<TElement>(ref next, scale);
        Vector256<uint> high = Words<TElement>(ref Unsafe.Add(ref next, 16 * TElement.Size), scale);
        Vector256.Narrow(low, high).AsSByte().StoreUnsafe(ref codes, index);
    }

    /// <summary>16 values to the low halves of 8 lanes, two codes each, in the order of the values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Words<TElement>(ref byte values, Vector256<float> scale)
        where TElement : struct, IElement
    {
        Vector256<float> magic = Vector256.Create(RowRounding.Magic);
        TElement.LoadPairs(ref values, out Vector256<float> even, out Vector256<float> odd);
        Vector256<uint> first = (TElement.RoundToHalf(even) * scale + magic).AsUInt32();
        Vector256<uint> second = (TElement.RoundToHalf(odd) * scale + magic).AsUInt32();
        return TElement.InOrder((first & Vector256.Create(0xFFu)) | (second << 8));
    }
}
