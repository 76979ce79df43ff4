using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>AVX2, 16 codes at a time, which fill one vector of 16-bit values.</summary>
internal readonly struct RowDecoder256 : IRowDecoder
{
    public static int Least => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToStored<TElement>(ref sbyte codes, int count, float absmax, ref byte destination)
        where TElement : struct, IElement
    {
        // Inside the spans: count >= 16, and the last step begins 16 codes before the end.
        nuint last = (nuint)count - 16;
        Vector256<float> scale = Vector256.Create(absmax);
        for (nuint i = 0; i < last; i += 16) Step<TElement>(ref codes, i, scale, ref destination);
        Step<TElement>(ref codes, last, scale, ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TElement>(ref sbyte codes, nuint index, Vector256<float> absmax, ref byte destination)
        where TElement : struct, IElement
    {
        Vector256<short> integers = Avx2.ConvertToVector256Int16(Vector128.LoadUnsafe(ref codes, index));
        Vector256<uint> low = Bits<TElement>(Vector256.WidenLower(integers), absmax);
        Vector256<uint> high = Bits<TElement>(Vector256.WidenUpper(integers), absmax);
        ref byte place = ref Unsafe.Add(ref destination, index * (nuint)TElement.Size);
        if (TElement.Size == 4)
        {
            low.AsByte().StoreUnsafe(ref place);
            high.AsByte().StoreUnsafe(ref place, 32);
        }
        else
        {
            Vector256.Narrow(low, high).AsByte().StoreUnsafe(ref place);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Bits<TElement>(Vector256<int> codes, Vector256<float> absmax)
        where TElement : struct, IElement =>
        TElement.ToBits(Vector256.ConvertToSingle(codes) * absmax * Vector256.Create(DequantizeRows8.Reciprocal));
}
