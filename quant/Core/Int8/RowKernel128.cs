using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>Portable 128-bit vectors, 16 values at a time, as two times a vector of even and one of odd positions.</summary>
internal readonly struct RowKernel128 : IRowKernel
{
    public static int Least => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static uint MaxMagnitude<TElement>(ref byte values, int count)
        where TElement : struct, IElement
    {
        // Inside the values: there are at least 32 bytes, and the last vector ends where they end.
        nuint last = (nuint)count * (nuint)TElement.Size - 16;
        Vector128<byte> running = TElement.MaxMagnitude(Vector128<byte>.Zero, Vector128.LoadUnsafe(ref values, last));
        for (nuint offset = 0; offset < last; offset += 16)
        {
            running = TElement.MaxMagnitude(running, Vector128.LoadUnsafe(ref values, offset));
        }

        return TElement.Reduce(running);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Encode<TElement>(ref byte values, int count, float scale, ref sbyte codes)
        where TElement : struct, IElement
    {
        nuint last = (nuint)count - 16;
        Vector128<float> scales = Vector128.Create(scale);
        for (nuint i = 0; i < last; i += 16) Step<TElement>(ref values, i, scales, ref codes);
        Step<TElement>(ref values, last, scales, ref codes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TElement>(ref byte values, nuint index, Vector128<float> scale, ref sbyte codes)
        where TElement : struct, IElement
    {
        ref byte next = ref Unsafe.Add(ref values, index * (nuint)TElement.Size);
        Vector128<uint> low = Words<TElement>(ref next, scale);
        Vector128<uint> high = Words<TElement>(ref Unsafe.Add(ref next, 8 * TElement.Size), scale);
        Vector128.Narrow(low, high).AsSByte().StoreUnsafe(ref codes, index);
    }

    /// <summary>8 values to the low halves of 4 lanes, two codes each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Words<TElement>(ref byte values, Vector128<float> scale)
        where TElement : struct, IElement
    {
        Vector128<float> magic = Vector128.Create(RowRounding.Magic);
        TElement.LoadPairs(ref values, out Vector128<float> even, out Vector128<float> odd);
        Vector128<uint> first = (TElement.RoundToHalf(even) * scale + magic).AsUInt32();
        Vector128<uint> second = (TElement.RoundToHalf(odd) * scale + magic).AsUInt32();
        return (first & Vector128.Create(0xFFu)) | (second << 8);
    }
}
