using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.ScaledCodes;

/// <summary>AVX2, 16 codes at a time.</summary>
internal readonly struct CodeKernel256 : ICodeKernel
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
        Vector256<float> scales = Vector256.Create(scale), zeros = Vector256.Create(zero);
        for (nuint i = 0; i < last; i += 16) Step<TCode, TThrough, TElement>(ref codes, i, scales, zeros, ref destination);
        Step<TCode, TThrough, TElement>(ref codes, last, scales, zeros, ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TCode, TThrough, TElement>(
        ref byte codes, nuint index, Vector256<float> scale, Vector256<float> zero, ref byte destination)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        Vector128<byte> bytes = Vector128.LoadUnsafe(ref codes, index);
        Vector256<uint> first = Avx2.ConvertToVector256Int32(bytes).AsUInt32();
        Vector256<uint> second = Avx2.ConvertToVector256Int32(Sse2.ShiftRightLogical128BitLane(bytes, 8)).AsUInt32();
        Vector256<uint> low = Bits<TCode, TThrough, TElement>(first, scale, zero);
        Vector256<uint> high = Bits<TCode, TThrough, TElement>(second, scale, zero);
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
    private static Vector256<uint> Bits<TCode, TThrough, TElement>(Vector256<uint> codes, Vector256<float> scale, Vector256<float> zero)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        Vector256<float> value = TCode.Of(codes, zero) * scale;
        value = Vector256.ConditionalSelect(Vector256.Equals(value, value), value, Vector256.Create(CodeKernelReference.QuietNaN).AsSingle());
        return TElement.ToBits(TThrough.FromBits(TThrough.ToBits(value)));
    }
}
