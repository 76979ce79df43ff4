using Bnb.Quant.Blockwise;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// absmax, codes and packing of <see cref="Quantize4"/> in one pass. Every thread loads 32 consecutive values in 16-byte
/// accesses, once, and keeps them; blocksize / 32 neighbouring threads are the team of a block and agree on its absmax; each
/// writes its 16 packed bytes in one access. A group of 256 threads so handles 8192 values: two blocks of 4096 or 256 of 32.
/// Shared memory: the 32 buckets of the code (256 bytes) and one word per thread for the maximum (1024 bytes).
/// Grid: ceil(units / group), a unit being 32 values; the source is padded with zeros to whole units, which is the
/// definition's own padding.
/// Blocks with NaN, infinity or overflow are read again, value by value, in a loop.
/// Exact: IEEE division and multiplication without anything to fuse; see <see cref="BucketEncoder{TCode}"/>.
/// </summary>
internal static class Quantize4Kernel
{
    /// <summary>Values of a thread.</summary>
    public const int Unit = 32;

    /// <summary>The largest group; the largest team, a block of 4096, is half of it.</summary>
    public const int LargestGroup = 256;

    /// <param name="source">Units * 2 Quads, 16-byte aligned.</param>
    /// <param name="packed">One quad per unit.</param>
    /// <param name="absmax">One per block.</param>
    /// <param name="nonFinite">One word, set to 1 when a value is not finite.</param>
    /// <param name="buckets">The 32 of the code.</param>
    /// <param name="thresholds">All of the code, for rare blocks.</param>
    /// <param name="units">How many units.</param>
    /// <param name="team">Threads of a block: blocksize / 32.</param>
    public static void Run<TStored, TCode, TMax>(
        ArrayView<Quad> source,
        ArrayView<Quad> packed,
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

        // The buffers are aligned so; saying it makes one access of every Quad.
        source = source.AsAligned(16);
        packed = packed.AsAligned(16);
        int unit = Grid.IdxX * Group.DimX + Group.IdxX;
        bool active = unit < units;
        int first = unit * TStored.Quads * 2;
        Quad a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        if (active)
        {
            a = source[first];
            b = source[first + 1];
            c = source[first + 2];
            d = source[first + 3];
            if (TStored.Quads == 4)
            {
                e = source[first + 4];
                f = source[first + 5];
                g = source[first + 6];
                h = source[first + 7];
            }
        }

        int largest = Math.Max(Math.Max(TStored.Largest(a), TStored.Largest(b)), Math.Max(TStored.Largest(c), TStored.Largest(d)));
        if (TStored.Quads == 4)
        {
            largest = Math.Max(largest, Math.Max(TStored.Largest(e), TStored.Largest(f)));
            largest = Math.Max(largest, Math.Max(TStored.Largest(g), TStored.Largest(h)));
        }

        bool hasNaN = largest > Magnitudes.Infinity;
        if (largest >= Magnitudes.Infinity) nonFinite[0] = 1;
        ArrayView<byte> values = source.Cast<byte>();
        if (hasNaN)
        {
            largest = 0;
            for (int i = 0; i < Unit; i++)
            {
                largest = Math.Max(largest, Magnitudes.Number(Bits.Of(TStored.At(values, (long)unit * Unit + i))));
            }
        }

        // The table must be there before it is read, also where the team needs no barrier of its own.
        Group.Barrier();
        largest = TMax.Of(largest, team.Value, shared);
        if (!active) return;

        float scale = Bits.ToSingle(largest), reciprocal = 1f / scale;
        bool overflows = Bits.Of(reciprocal) == Magnitudes.Infinity;
        Quad codes = default;
        if (hasNaN || overflows || largest == Magnitudes.Infinity)
        {
            for (int i = 0; i < Unit; i += 2)
            {
                int high = CountingEncoder<TCode>.Encode(TStored.At(values, (long)unit * Unit + i), scale, reciprocal, table, thresholds);
                int low = CountingEncoder<TCode>.Encode(TStored.At(values, (long)unit * Unit + i + 1), scale, reciprocal, table, thresholds);
                // All 16 bytes move down by one and the new one comes in at the top.
                codes.A = ((codes.A >> 8) & 0xFF_FFFF) | (codes.B << 24);
                codes.B = ((codes.B >> 8) & 0xFF_FFFF) | (codes.C << 24);
                codes.C = ((codes.C >> 8) & 0xFF_FFFF) | (codes.D << 24);
                codes.D = ((codes.D >> 8) & 0xFF_FFFF) | (((high << 4) | low) << 24);
            }
        }
        else if (TStored.Quads == 4)
        {
            codes.A = Two<TStored, TCode>(a, b, scale, reciprocal, table, thresholds);
            codes.B = Two<TStored, TCode>(c, d, scale, reciprocal, table, thresholds);
            codes.C = Two<TStored, TCode>(e, f, scale, reciprocal, table, thresholds);
            codes.D = Two<TStored, TCode>(g, h, scale, reciprocal, table, thresholds);
        }
        else
        {
            codes.A = TStored.Encode<BucketEncoder<TCode>>(a, scale, reciprocal, table, thresholds);
            codes.B = TStored.Encode<BucketEncoder<TCode>>(b, scale, reciprocal, table, thresholds);
            codes.C = TStored.Encode<BucketEncoder<TCode>>(c, scale, reciprocal, table, thresholds);
            codes.D = TStored.Encode<BucketEncoder<TCode>>(d, scale, reciprocal, table, thresholds);
        }

        packed[unit] = codes;
        // Unsigned, because a signed division by a power of two is wrong on some backends and slow on all.
        if ((unit & (team.Value - 1)) == 0) absmax[(int)((uint)unit / (uint)team.Value)] = scale;
    }

    /// <summary>The codes of 8 float32.</summary>
    private static int Two<TStored, TCode>(
        Quad first, Quad second, float scale, float reciprocal, ArrayView<long> table, ArrayView<float> thresholds)
        where TStored : struct, IStored
        where TCode : struct, IRankedCode =>
        TStored.Encode<BucketEncoder<TCode>>(first, scale, reciprocal, table, thresholds)
        | (TStored.Encode<BucketEncoder<TCode>>(second, scale, reciprocal, table, thresholds) << 16);
}
