using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

// AVX-512 F and BW. 32 values at a time: one vector of even, one of odd positions, each with a code per 32-bit lane; a byte of
// the result is then lanewise (even << 4) | odd, narrowed. Blocks are multiples of 32, so there is no remainder inside one.
public static partial class Quantize4
{
    private static bool V512<TCode>(
        ElementType type, int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4 => type switch
        {
            ElementType.F32 => V512<TCode, F32Element>(blocksize, source, absmax, packed),
            ElementType.F16 => V512<TCode, F16Element>(blocksize, source, absmax, packed),
            _ => V512<TCode, BF16Element>(blocksize, source, absmax, packed),
        };

    // AggressiveOptimization: fully optimised at the first call, so that the first chunk of a model is as fast as the last.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool V512<TCode, TElement>(int blocksize, ReadOnlySpan<byte> source, Span<float> absmax, Span<byte> packed)
        where TCode : struct, ICode4
        where TElement : struct, IElement
    {
        int blockBytes = blocksize * TElement.Size;
        int fullBlocks = source.Length / blockBytes;
        bool finite = true;

        // Locals, so that the four table halves stay in registers for the whole run.
        ref float bounds = ref MemoryMarshal.GetArrayDataReference(BucketTable<TCode>.Bounds);
        ref int ranks = ref MemoryMarshal.GetArrayDataReference(BucketTable<TCode>.Ranks);
        Vector512<float> bounds0 = Vector512.LoadUnsafe(ref bounds), bounds1 = Vector512.LoadUnsafe(ref bounds, 16);
        Vector512<int> ranks0 = Vector512.LoadUnsafe(ref ranks), ranks1 = Vector512.LoadUnsafe(ref ranks, 16);

        for (int block = 0; block < fullBlocks; block++)
        {
            // Inside the spans: block < fullBlocks, and Run has checked the lengths of absmax and packed against the source.
            ref byte values = ref Unsafe.Add(ref MemoryMarshal.GetReference(source), (nint)block * blockBytes);
            ref byte bytes = ref Unsafe.Add(ref MemoryMarshal.GetReference(packed), (nint)block * blocksize / 2);

            Vector512<byte> running = Vector512<byte>.Zero;
            for (int offset = 0; offset < blockBytes; offset += Vector512<byte>.Count)
            {
                running = TElement.MaxMagnitude(running, Vector512.LoadUnsafe(ref values, (nuint)offset));
            }

            Vector256<byte> half = TElement.MaxMagnitude(running.GetLower(), running.GetUpper());
            uint magnitude = TElement.Reduce(TElement.MaxMagnitude(half.GetLower(), half.GetUpper()));
            float blockAbsmax = TElement.MagnitudeToSingle(magnitude);
            float reciprocal = 1f / blockAbsmax;
            if (!TElement.IsFiniteMagnitude(magnitude) || float.IsInfinity(reciprocal))
            {
                finite &= RareBlock<TCode, TElement>(source, blocksize, block, absmax, packed, magnitude == 0);
                continue;
            }

            absmax[block] = blockAbsmax;
            Vector512<float> scale = Vector512.Create(reciprocal);
            for (int i = 0; i < blocksize; i += 32)
            {
                ref byte next = ref Unsafe.Add(ref values, i * TElement.Size);
                TElement.LoadPairs(ref next, out Vector512<float> even, out Vector512<float> odd);
                Vector512<int> first = Rank512<TCode>(even * scale, bounds0, bounds1, ranks0, ranks1);
                Vector512<int> second = Rank512<TCode>(odd * scale, bounds0, bounds1, ranks0, ranks1);
                Vector512<uint> codes = TCode.FromRanks(((first << 4) | second).AsUInt32());
                Avx512F.ConvertToVector128Byte(codes).StoreUnsafe(ref Unsafe.Add(ref bytes, i / 2));
            }
        }

        return finite & LastBlock<TCode, TElement>(source, blocksize, fullBlocks, absmax, packed);
    }

    /// <summary>Ranks, with the sign in bit 3 for sign-magnitude types, of 16 finite normalised values. See
    /// <see cref="BucketTable{TCode}"/> for why this is exact. The fused operation only picks the bucket.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Rank512<TCode>(
        Vector512<float> x, Vector512<float> bounds0, Vector512<float> bounds1, Vector512<int> ranks0, Vector512<int> ranks1)
        where TCode : struct, ICode4
    {
        Vector512<float> density = Vector512.Create(BucketTable<TCode>.Density);
        Vector512<float> shifter = Vector512.Create(BucketTable<TCode>.Shifter);
        if (TCode.SignMagnitude)
        {
            // Buckets 0..15: the upper table halves are never selected.
            Vector512<float> size = Vector512.Abs(x);
            Vector512<int> bucket = Avx512F.FusedMultiplyAdd(size, density, shifter).AsInt32();
            Vector512<float> bound = Avx512F.PermuteVar16x32(bounds0, bucket);
            Vector512<int> rank = Avx512F.PermuteVar16x32(ranks0, bucket);
            rank -= Vector512.GreaterThan(size, bound).AsInt32();
            return rank | (Vector512.LessThan(x, Vector512<float>.Zero).AsInt32() & Vector512.Create(8));
        }
        else
        {
            // The permutation looks at the low 5 bits of the bucket only, which is the modulo of the tables.
            Vector512<int> bucket = Avx512F.FusedMultiplyAdd(x, density, shifter).AsInt32();
            Vector512<float> bound = Avx512F.PermuteVar16x32x2(bounds0, bucket, bounds1);
            Vector512<int> rank = Avx512F.PermuteVar16x32x2(ranks0, bucket, ranks1);
            return rank - Vector512.GreaterThan(x, bound).AsInt32();
        }
    }
}
