using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// absmax, codes and packing of <see cref="Quantize4"/> in one pass. Every thread loads 16 consecutive values in 16-byte
/// accesses, once, and keeps them; blocksize / 16 neighbouring threads are the team of a block and agree on its absmax; each
/// writes its 8 packed bytes in one access. A group of 256 threads so handles 4096 values: one block of 4096 or 128 of 32.
/// Shared memory: the 32 buckets of the code (256 bytes) and one word per thread for the maximum (1024 bytes).
/// Grid: ceil(units / group), a unit being 16 values; the source is padded with zeros to whole units, which is the
/// definition's own padding.
/// Exact: IEEE division and multiplication without anything to fuse; see <see cref="BucketEncoder{TCode}"/>.
/// </summary>
internal static class Quantize4Kernel
{
    /// <summary>Values of a thread.</summary>
    public const int Unit = 16;

    /// <summary>The largest group, and the largest team: a block of 4096.</summary>
    public const int LargestGroup = BlockGrid.LargestBlocksize / Unit;

    /// <param name="source">Units * Quads, 16-byte aligned.</param>
    /// <param name="packed">One pair per unit.</param>
    /// <param name="absmax">One per block.</param>
    /// <param name="nonFinite">One word, set to 1 when a value is not finite.</param>
    /// <param name="buckets">The 32 of the code.</param>
    /// <param name="thresholds">All of the code, for rare blocks.</param>
    /// <param name="units">How many units.</param>
    /// <param name="team">Threads of a block: blocksize / 16.</param>
    public static void Run<TStored, TCode, TMax>(
        ArrayView<Quad> source,
        ArrayView<Pair> packed,
        ArrayView<float> absmax,
        ArrayView<int> nonFinite,
        ArrayView<long> buckets,
        ArrayView<float> thresholds,
        int units,
        SpecializedValue<int> team)
        where TStored : struct, IStored
        where TCode : struct, IRankedCode
        where TMax : struct, ITeamMax
    {
        ArrayView<long> table = SharedMemory.Allocate<long>(32);
        ArrayView<int> shared = SharedMemory.Allocate<int>(LargestGroup);
        for (int i = Group.IdxX; i < 32; i += Group.DimX) table[i] = buckets[i];

        // The buffers are aligned so; saying it makes one access of every Quad and Pair.
        source = source.AsAligned(16);
        packed = packed.AsAligned(8);
        int unit = Grid.IdxX * Group.DimX + Group.IdxX;
        bool active = unit < units;
        int first = unit * TStored.Quads;
        Quad a = default, b = default, c = default, d = default;
        if (active)
        {
            a = source[first];
            b = source[first + 1];
            if (TStored.Quads == 4)
            {
                c = source[first + 2];
                d = source[first + 3];
            }
        }

        int largest = Math.Max(TStored.Largest(a), TStored.Largest(b));
        if (TStored.Quads == 4) largest = Math.Max(largest, Math.Max(TStored.Largest(c), TStored.Largest(d)));
        bool hasNaN = largest > Magnitudes.Infinity;
        if (largest >= Magnitudes.Infinity) nonFinite[0] = 1;
        if (hasNaN)
        {
            largest = Math.Max(TStored.LargestNumber(a), TStored.LargestNumber(b));
            if (TStored.Quads == 4)
            {
                largest = Math.Max(largest, Math.Max(TStored.LargestNumber(c), TStored.LargestNumber(d)));
            }
        }

        // The table must be there before it is read, also where the team needs no barrier of its own.
        Group.Barrier();
        largest = TMax.Of(largest, team.Value, shared);
        if (!active) return;

        float scale = Bits.ToSingle(largest), reciprocal = 1f / scale;
        bool overflows = Bits.Of(reciprocal) == Magnitudes.Infinity;
        Pair codes = default;
        if (hasNaN || overflows || largest == Magnitudes.Infinity)
        {
            Codes<TStored, CountingEncoder<TCode>>(a, b, c, d, scale, reciprocal, table, thresholds, ref codes);
        }
        else
        {
            Codes<TStored, BucketEncoder<TCode>>(a, b, c, d, scale, reciprocal, table, thresholds, ref codes);
        }

        packed[unit] = codes;
        // Unsigned, because a signed division by a power of two is wrong on some backends and slow on all.
        if ((unit & (team.Value - 1)) == 0) absmax[(int)((uint)unit / (uint)team.Value)] = scale;
    }

    private static void Codes<TStored, TEncoder>(
        Quad a,
        Quad b,
        Quad c,
        Quad d,
        float scale,
        float reciprocal,
        ArrayView<long> table,
        ArrayView<float> thresholds,
        ref Pair codes)
        where TStored : struct, IStored
        where TEncoder : struct, IEncoder
    {
        int first = TStored.Encode<TEncoder>(a, scale, reciprocal, table, thresholds);
        int second = TStored.Encode<TEncoder>(b, scale, reciprocal, table, thresholds);
        if (TStored.Quads == 4)
        {
            first |= second << 16;
            second = TStored.Encode<TEncoder>(c, scale, reciprocal, table, thresholds)
                | (TStored.Encode<TEncoder>(d, scale, reciprocal, table, thresholds) << 16);
        }

        codes.A = first;
        codes.B = second;
    }
}
