using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

// Portable 128-bit vectors, no instruction set named. There is no table look-up of floats at this width, so ranks are counted:
// one comparison per threshold, which four vectors share to spread the load of the threshold.
public static partial class Quantize4
{
    private static bool V128<TCode>(
        ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4 => type switch
        {
            ElementType.F32 => V128<TCode, F32Element>(blocksize, source, absmax, packed),
            ElementType.F16 => V128<TCode, F16Element>(blocksize, source, absmax, packed),
            _ => V128<TCode, BF16Element>(blocksize, source, absmax, packed),
        };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool V128<TCode, TElement>(int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        int blockBytes = blocksize * TElement.Size;
        int fullBlocks = source.Length / blockBytes;
        bool finite = true;

        for (int block = 0; block < fullBlocks; block++)
        {
            // Inside the spans: block < fullBlocks, and Run has checked the lengths of absmax and packed against the source.
            ref byte values = ref Unsafe.Add(ref MemoryMarshal.GetReference(source), (nint)block * blockBytes);
            ref byte bytes = ref Unsafe.Add(ref MemoryMarshal.GetReference(packed), (nint)block * blocksize / 2);

            Vector128<byte> running = Vector128<byte>.Zero;
            for (int offset = 0; offset < blockBytes; offset += Vector128<byte>.Count)
            {
                running = TElement.MaxMagnitude(running, Vector128.LoadUnsafe(ref values, (nuint)offset));
            }

            uint magnitude = TElement.Reduce(running);
            float blockAbsmax = TElement.MagnitudeToSingle(magnitude);
            float reciprocal = 1f / blockAbsmax;
            if (!TElement.IsFiniteMagnitude(magnitude) || float.IsInfinity(reciprocal))
            {
                finite &= RareBlock<TCode, TElement>(source, blocksize, block, absmax, packed, magnitude == 0);
                continue;
            }

            absmax[block] = blockAbsmax;
            Vector128<float> scale = Vector128.Create(reciprocal);
            for (int i = 0; i < blocksize; i += 32)
            {
                ref byte next = ref Unsafe.Add(ref values, i * TElement.Size);
                Vector128<ushort> low = Words128<TCode, TElement>(ref next, scale);
                Vector128<ushort> high = Words128<TCode, TElement>(ref Unsafe.Add(ref next, 16 * TElement.Size), scale);
                Vector128<byte> ranks = Vector128.Narrow(low, high);
                TCode.FromRanks(ranks.AsUInt32()).AsByte().StoreUnsafe(ref Unsafe.Add(ref bytes, i / 2));
            }
        }

        return finite & LastBlock<TCode, TElement>(source, blocksize, fullBlocks, absmax, packed);
    }

    /// <summary>16 values to 8 words of two ranks each. Exact: every comparison is with a threshold itself; a comparison
    /// gives -1, hence the subtractions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ushort> Words128<TCode, TElement>(ref byte source, Vector128<float> scale)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        TElement.LoadPairs(ref source, out Vector128<float> even0, out Vector128<float> odd0);
        TElement.LoadPairs(ref Unsafe.Add(ref source, 8 * TElement.Size), out Vector128<float> even1, out Vector128<float> odd1);
        even0 *= scale;
        even1 *= scale;
        odd0 *= scale;
        odd1 *= scale;

        // The sign goes to bit 3 of each nibble before the magnitudes replace the values.
        Vector128<int> first0 = default, first1 = default, second0 = default, second1 = default;
        if (TCode.SignMagnitude)
        {
            Vector128<int> sign = Vector128.Create(8);
            first0 = Vector128.LessThan(even0, Vector128<float>.Zero).AsInt32() & sign;
            first1 = Vector128.LessThan(even1, Vector128<float>.Zero).AsInt32() & sign;
            second0 = Vector128.LessThan(odd0, Vector128<float>.Zero).AsInt32() & sign;
            second1 = Vector128.LessThan(odd1, Vector128<float>.Zero).AsInt32() & sign;
            even0 = Vector128.Abs(even0);
            even1 = Vector128.Abs(even1);
            odd0 = Vector128.Abs(odd0);
            odd1 = Vector128.Abs(odd1);
        }

        foreach (float threshold in TCode.Thresholds)
        {
            Vector128<float> bound = Vector128.Create(threshold);
            first0 -= Vector128.GreaterThan(even0, bound).AsInt32();
            first1 -= Vector128.GreaterThan(even1, bound).AsInt32();
            second0 -= Vector128.GreaterThan(odd0, bound).AsInt32();
            second1 -= Vector128.GreaterThan(odd1, bound).AsInt32();
        }

        return Vector128.Narrow(((first0 << 4) | second0).AsUInt32(), ((first1 << 4) | second1).AsUInt32());
    }
}
