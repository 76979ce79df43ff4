using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Int8;

/// <summary>AVX-512 F and BW, 16 codes at a time.</summary>
internal readonly struct RowDecoder512 : IRowDecoder
{
    public static int Least => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToStored<TElement>(ref sbyte codes, int count, float absmax, ref byte destination)
        where TElement : struct, IElement
    {
        // Inside the spans: count >= 16, and the last step begins 16 codes before the end.
        nuint last = (nuint)count - 16;
        Vector512<float> scale = Vector512.Create(absmax);
        for (nuint i = 0; i < last; i += 16) Step<TElement>(ref codes, i, scale, ref destination);
        Step<TElement>(ref codes, last, scale, ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TElement>(ref sbyte codes, nuint index, Vector512<float> absmax, ref byte destination)
        where TElement : struct, IElement
    {
        Vector512<int> integers = Avx512F.ConvertToVector512Int32(Vector128.LoadUnsafe(ref codes, index));
        Vector512<float> values = Vector512.ConvertToSingle(integers) * absmax * Vector512.Create(DequantizeRows8.Reciprocal);
        Vector512<uint> bits = TElement.ToBits(values);
        ref byte place = ref Unsafe.Add(ref destination, index * (nuint)TElement.Size);
        if (TElement.Size == 4) bits.AsByte().StoreUnsafe(ref place);
        else Avx512F.ConvertToVector256UInt16(bits).AsByte().StoreUnsafe(ref place);
    }
}
