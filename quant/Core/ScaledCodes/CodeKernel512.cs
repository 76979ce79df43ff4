using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.ScaledCodes;

/// <summary>AVX-512 F and BW, 16 codes at a time.</summary>
internal readonly struct CodeKernel512 : ICodeKernel
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
        Vector512<float> scales = Vector512.Create(scale), zeros = Vector512.Create(zero);
        for (nuint i = 0; i < last; i += 16) Step<TCode, TThrough, TElement>(ref codes, i, scales, zeros, ref destination);
        Step<TCode, TThrough, TElement>(ref codes, last, scales, zeros, ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TCode, TThrough, TElement>(
        ref byte codes, nuint index, Vector512<float> scale, Vector512<float> zero, ref byte destination)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        Vector512<uint> bytes = Avx512F.ConvertToVector512Int32(Vector128.LoadUnsafe(ref codes, index)).AsUInt32();
        Vector512<uint> bits = Bits<TCode, TThrough, TElement>(bytes, scale, zero);
        ref byte place = ref Unsafe.Add(ref destination, index * (nuint)TElement.Size);
        if (TElement.Size == 4) bits.AsByte().StoreUnsafe(ref place);
        else Avx512F.ConvertToVector256UInt16(bits).AsByte().StoreUnsafe(ref place);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Bits<TCode, TThrough, TElement>(Vector512<uint> codes, Vector512<float> scale, Vector512<float> zero)
        where TCode : struct, IScaledCode
        where TThrough : struct, IElement
        where TElement : struct, IElement
    {
        Vector512<float> value = TCode.Of(codes, zero) * scale;
        value = Vector512.ConditionalSelect(Vector512.Equals(value, value), value, Vector512.Create(CodeKernelReference.QuietNaN).AsSingle());
        return TElement.ToBits(TThrough.FromBits(TThrough.ToBits(value)));
    }
}
