using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Fp8;

/// <summary>AVX-512 F and BW, 16 values at a time.</summary>
internal readonly struct Fp8Kernel512 : IFp8Kernel
{
    public static int Least => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Encode<TElement>(ref float values, int count, float scale, ref byte codes)
        where TElement : struct, IElement
    {
        // Inside the spans: count >= 16, and the last step begins 16 values before the end.
        nuint last = (nuint)count - 16;
        Vector512<float> scales = Vector512.Create(scale);
        for (nuint i = 0; i < last; i += 16) Step<TElement>(ref values, i, scales, ref codes);
        Step<TElement>(ref values, last, scales, ref codes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TElement>(ref float values, nuint i, Vector512<float> scale, ref byte codes)
        where TElement : struct, IElement
    {
        Avx512F.ConvertToVector128Byte(Codes<TElement>(ref values, i, scale)).StoreUnsafe(ref codes, i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Codes<TElement>(ref float values, nuint index, Vector512<float> scale)
        where TElement : struct, IElement =>
        E4M3.Encode(TElement.FromBits(TElement.ToBits(Vector512.LoadUnsafe(ref values, index) / scale)));
}
