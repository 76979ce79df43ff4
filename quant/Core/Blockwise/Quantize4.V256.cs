using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

// AVX2. The layout is that of Quantize4.V512.cs at half the width: 16 values give 8 lanes of one byte each, and two such
// vectors are narrowed together. The table look-up takes 8 entries, so ranks come from a search by halving.
public static partial class Quantize4
{
    private static bool V256<TCode>(
        ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4 => type switch
        {
            ElementType.F32 => V256<TCode, F32Element>(blocksize, source, absmax, packed),
            ElementType.F16 => V256<TCode, F16Element>(blocksize, source, absmax, packed),
            _ => V256<TCode, BF16Element>(blocksize, source, absmax, packed),
        };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool V256<TCode, TElement>(int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        int blockBytes = blocksize * TElement.Size;
        int fullBlocks = source.Length / blockBytes;
        bool finite = true;

        ref float levels = ref MemoryMarshal.GetArrayDataReference(SearchTable<TCode>.Levels);
        Vector256<float> level0 = Vector256.Create(levels), level1 = Vector256.LoadUnsafe(ref levels, 8);
        Vector256<float> level2 = Vector256.LoadUnsafe(ref levels, 16);
        Vector256<float> level3 = TCode.SignMagnitude ? default : Vector256.LoadUnsafe(ref levels, 24);

        for (int block = 0; block < fullBlocks; block++)
        {
            // Inside the spans: block < fullBlocks, and Run has checked the lengths of absmax and packed against the source.
            ref byte values = ref Unsafe.Add(ref MemoryMarshal.GetReference(source), (nint)block * blockBytes);
            ref byte bytes = ref Unsafe.Add(ref MemoryMarshal.GetReference(packed), (nint)block * blocksize / 2);

            Vector256<byte> running = Vector256<byte>.Zero;
            for (int offset = 0; offset < blockBytes; offset += Vector256<byte>.Count)
            {
                running = TElement.MaxMagnitude(running, Vector256.LoadUnsafe(ref values, (nuint)offset));
            }

            uint magnitude = TElement.Reduce(TElement.MaxMagnitude(running.GetLower(), running.GetUpper()));
            float blockAbsmax = TElement.MagnitudeToSingle(magnitude);
            float reciprocal = 1f / blockAbsmax;
            if (!TElement.IsFiniteMagnitude(magnitude) || float.IsInfinity(reciprocal))
            {
                finite &= RareBlock<TCode, TElement>(source, blocksize, block, absmax, packed, magnitude == 0);
                continue;
            }

            absmax[block] = blockAbsmax;
            Vector256<float> scale = Vector256.Create(reciprocal);
            for (int i = 0; i < blocksize; i += 32)
            {
                ref byte next = ref Unsafe.Add(ref values, i * TElement.Size);
                Vector256<int> low = Pairs256<TCode, TElement>(ref next, scale, level0, level1, level2, level3);
                Vector256<int> high = Pairs256<TCode, TElement>(
                    ref Unsafe.Add(ref next, 16 * TElement.Size), scale, level0, level1, level2, level3);

                // The packs work within 128-bit halves: bytes arrive as low 0-3, high 0-3 | low 4-7, high 4-7.
                Vector256<short> words = Avx2.PackSignedSaturate(low, high);
                Vector256<int> mixed = Avx2.PackUnsignedSaturate(words, words).AsInt32();
                Vector256<int> ordered = Avx2.PermuteVar8x32(mixed, Vector256.Create(0, 4, 1, 5, 0, 4, 1, 5));
                TCode.FromRanks(ordered.GetLower().AsUInt32()).AsByte().StoreUnsafe(ref Unsafe.Add(ref bytes, i / 2));
            }
        }

        return finite & LastBlock<TCode, TElement>(source, blocksize, fullBlocks, absmax, packed);
    }

    /// <summary>16 values to 8 lanes of two ranks each, in the order of memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Pairs256<TCode, TElement>(
        ref byte source,
        Vector256<float> scale,
        Vector256<float> level0,
        Vector256<float> level1,
        Vector256<float> level2,
        Vector256<float> level3)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        TElement.LoadPairs(ref source, out Vector256<float> even, out Vector256<float> odd);
        Vector256<int> first = Rank256<TCode>(even * scale, level0, level1, level2, level3);
        Vector256<int> second = Rank256<TCode>(odd * scale, level0, level1, level2, level3);
        return TElement.InOrder(((first << 4) | second).AsUInt32()).AsInt32();
    }

    /// <summary>Ranks, with the sign in bit 3 for sign-magnitude types, of 8 finite normalised values. Exact: every
    /// comparison is with a threshold itself. A comparison gives -1, hence the subtractions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Rank256<TCode>(
        Vector256<float> x, Vector256<float> level0, Vector256<float> level1, Vector256<float> level2, Vector256<float> level3)
        where TCode : struct, ICode4
    {
        Vector256<float> key = TCode.SignMagnitude ? Vector256.Abs(x) : x;
        Vector256<int> rank = -Vector256.GreaterThan(key, level0).AsInt32();
        rank = rank + rank - Vector256.GreaterThan(key, Avx2.PermuteVar8x32(level1, rank)).AsInt32();
        rank = rank + rank - Vector256.GreaterThan(key, Avx2.PermuteVar8x32(level2, rank)).AsInt32();
        if (TCode.SignMagnitude) return rank | (Vector256.LessThan(x, Vector256<float>.Zero).AsInt32() & Vector256.Create(8));
        return rank + rank - Vector256.GreaterThan(key, Avx2.PermuteVar8x32(level3, rank)).AsInt32();
    }
}
