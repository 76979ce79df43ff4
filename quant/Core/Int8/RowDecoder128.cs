using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>Portable 128-bit vectors, 16 codes at a time.</summary>
internal readonly struct RowDecoder128 : IRowDecoder
{
    public static int Least => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToStored<TElement>(ref sbyte codes, int count, float absmax, ref byte destination)
        where TElement : struct, IElement
    {
        // Inside the spans: count >= 16, and the last step begins 16 codes before the end.
        nuint last = (nuint)count - 16;
        Vector128<float> scale = Vector128.Create(absmax);
        for (nuint i = 0; i < last; i += 16) Step<TElement>(ref codes, i, scale, ref destination);
        Step<TElement>(ref codes, last, scale, ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TElement>(ref sbyte codes, nuint index, Vector128<float> absmax, ref byte destination)
        where TElement : struct, IElement
    {
        Vector128<sbyte> integers = Vector128.LoadUnsafe(ref codes, index);
        ref byte place = ref Unsafe.Add(ref destination, index * (nuint)TElement.Size);
        Eight<TElement>(Vector128.WidenLower(integers), absmax, ref place);
        Eight<TElement>(Vector128.WidenUpper(integers), absmax, ref Unsafe.Add(ref place, 8 * TElement.Size));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight<TElement>(Vector128<short> codes, Vector128<float> absmax, ref byte place)
        where TElement : struct, IElement
    {
        Vector128<uint> low = Bits<TElement>(Vector128.WidenLower(codes), absmax);
        Vector128<uint> high = Bits<TElement>(Vector128.WidenUpper(codes), absmax);
        if (TElement.Size == 4)
        {
            low.AsByte().StoreUnsafe(ref place);
            high.AsByte().StoreUnsafe(ref place, 16);
        }
        else
        {
            Vector128.Narrow(low, high).AsByte().StoreUnsafe(ref place);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> Bits<TElement>(Vector128<int> codes, Vector128<float> absmax)
        where TElement : struct, IElement =>
        TElement.ToBits(Vector128.ConvertToSingle(codes) * absmax * Vector128.Create(DequantizeRows8.Reciprocal));
}
