using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Fp8;

/// <summary>Portable 128-bit vectors, 16 values at a time.</summary>
internal readonly struct Fp8Kernel128 : IFp8Kernel
{
    public static int Least => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Encode<TElement>(ref float values, int count, float scale, ref byte codes)
        where TElement : struct, IElement
    {
        // Inside the spans: count >= 16, and the last step begins 16 values before the end.
        nuint last = (nuint)count - 16;
        Vector128<float> scales = Vector128.Create(scale);
        for (nuint i = 0; i < last; i += 16) Step<TElement>(ref values, i, scales, ref codes);
        Step<TElement>(ref values, last, scales, ref codes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TElement>(ref float values, nuint i, Vector128<float> scale, ref byte codes)
        where TElement : struct, IElement
    {
        Vector128<ushort> low = Vector128.Narrow(Codes<TElement>(ref values, i, scale), Codes<TElement>(ref values, i + 4, scale));
        Vector128<ushort> high = Vector128.Narrow(Codes<TElement>(ref values, i + 8, scale), Codes<TElement>(ref values, i + 12, scale));
        Vector128.Narrow(low, high).StoreUnsafe(ref codes, i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Codes<TElement>(ref float values, nuint index, Vector128<float> scale)
        where TElement : struct, IElement =>
        E4M3.Encode(TElement.FromBits(TElement.ToBits(Vector128.LoadUnsafe(ref values, index) / scale)));
}
