using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.ScaledCodes;

/// <summary>Portable 128-bit vectors, 16 codes at a time.</summary>
internal readonly struct CodeKernel128 : ICodeKernel
{
    public static int Least => 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TCode, TThrough, TElement>(ref byte codes, int count, float scale, float zero, ref byte destination)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        // Inside the spans: count >= 16, and the last step begins 16 codes before the end.
        nuint last = (nuint)count - 16;
        Vector128<float> scales = Vector128.Create(scale), zeros = Vector128.Create(zero);
        for (nuint i = 0; i < last; i += 16) Step<TCode, TThrough, TElement>(ref codes, i, scales, zeros, ref destination);
        Step<TCode, TThrough, TElement>(ref codes, last, scales, zeros, ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TCode, TThrough, TElement>(
        ref byte codes, nuint index, Vector128<float> scale, Vector128<float> zero, ref byte destination)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        Vector128<byte> bytes = Vector128.LoadUnsafe(ref codes, index);
        ref byte place = ref Unsafe.Add(ref destination, index * (nuint)TElement.Size);
        Eight<TCode, TThrough, TElement>(Vector128.WidenLower(bytes), scale, zero, ref place);
        Eight<TCode, TThrough, TElement>(Vector128.WidenUpper(bytes), scale, zero, ref Unsafe.Add(ref place, 8 * TElement.Size));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Eight<TCode, TThrough, TElement>(
        Vector128<ushort> codes, Vector128<float> scale, Vector128<float> zero, ref byte place)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        Vector128<uint> low = Bits<TCode, TThrough, TElement>(Vector128.WidenLower(codes), scale, zero);
        Vector128<uint> high = Bits<TCode, TThrough, TElement>(Vector128.WidenUpper(codes), scale, zero);
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
    private static Vector128<uint> Bits<TCode, TThrough, TElement>(Vector128<uint> codes, Vector128<float> scale, Vector128<float> zero)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        Vector128<float> value = TCode.Of(codes, zero) * scale;
        value = Vector128.ConditionalSelect(Vector128.Equals(value, value), value, Vector128.Create(CodeKernelReference.QuietNaN).AsSingle());
        return TElement.ToBits(TThrough.FromBits(TThrough.ToBits(value)));
    }
}
