using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <c>QuantizeGroups4</c>: scale, zero point and codes of groups of INT4. A thread loads 8 values in one or two 16-byte
/// accesses and writes one word of 8 codes, the first in the lowest nibble; groupSize / 8 neighbouring threads are the team
/// of a group. Shared memory: two words per thread, for the largest of either sign. Grid: ceil(units / group), a unit being 8 values.
/// Exact: IEEE divisions, sums and differences, each followed by integer rounding; no product, so nothing can be fused.
/// </summary>
internal static class QuantizeGroups4Kernel
{
    /// <summary>Values of a thread.</summary>
    public const int Unit = 8;

    /// <summary>The largest group of threads.</summary>
    public const int LargestGroup = 256;

    private const int CanonicalNaN = 0x7FC0_0000;

    /// <param name="source">Units of 8 values, 16-byte aligned.</param>
    /// <param name="packed">One word per unit.</param>
    /// <param name="scales">One value of the type per group.</param>
    /// <param name="zeroPoints">One byte per group; not written when symmetric.</param>
    /// <param name="nonFinite">One word, set to 1 when a value is not finite.</param>
    /// <param name="units">How many units.</param>
    /// <param name="team">Threads of a group of values: 4, 8 or 16.</param>
    /// <param name="symmetric">1 when 0.0 is the integer 0 in every group, else 0.</param>
    /// <param name="divisor">Of the range: 7.5 when symmetric, else 15.</param>
    public static void Run<TStored, TMax>(
        ArrayView<Quad> source,
        ArrayView<int> packed,
        ArrayView<byte> scales,
        ArrayView<byte> zeroPoints,
        ArrayView<int> nonFinite,
        int units,
        int team,
        int symmetric,
        float divisor)
        where TStored : struct, IStored
        where TMax : struct, ITeamMax
    {
        ArrayView<int> sharedUp = SharedMemory.Allocate<int>(LargestGroup);
        ArrayView<int> sharedDown = SharedMemory.Allocate<int>(LargestGroup);
        source = source.AsAligned(16);
        int unit = Grid.IdxX * Group.DimX + Group.IdxX;
        bool active = unit < units;
        Quad first = default, second = default;
        if (active)
        {
            first = source[unit * (TStored.Quads >> 1)];
            if (TStored.Quads == 4) second = source[2 * unit + 1];
        }

        int up = 0, down = 0;
        Widen<TStored>(first, second, 0, ref up, ref down);
        Widen<TStored>(first, second, 1, ref up, ref down);
        Widen<TStored>(first, second, 2, ref up, ref down);
        Widen<TStored>(first, second, 3, ref up, ref down);
        Widen<TStored>(first, second, 4, ref up, ref down);
        Widen<TStored>(first, second, 5, ref up, ref down);
        Widen<TStored>(first, second, 6, ref up, ref down);
        Widen<TStored>(first, second, 7, ref up, ref down);
        if (Math.Max(up, down) >= Magnitudes.Infinity) nonFinite[0] = 1;
        up = TMax.Of(up, team, sharedUp);
        down = TMax.Of(down, team, sharedDown);
        if (!active) return;

        float max = Bits.ToSingle(up), min = -Bits.ToSingle(down);
        float range = symmetric != 0
            ? TStored.Rounded(Bits.ToSingle(Math.Max(up, down)) / divisor)
            : TStored.Rounded(TStored.Rounded(max - min) / divisor);
        // From the scale before a zero is replaced, so this can be 0/0.
        int zero = symmetric != 0 ? 0 : ToInteger(TStored.Rounded(-8f - TStored.Rounded(min / range)));
        float scale = (Bits.Of(range) & Magnitudes.Mask) == 0 ? TStored.Epsilon : range;
        if ((Bits.Of(scale) & Magnitudes.Mask) > Magnitudes.Infinity) scale = Bits.ToSingle(CanonicalNaN);

        packed[unit] = Code<TStored>(first, second, 0, scale, zero)
            | (Code<TStored>(first, second, 1, scale, zero) << 4)
            | (Code<TStored>(first, second, 2, scale, zero) << 8)
            | (Code<TStored>(first, second, 3, scale, zero) << 12)
            | (Code<TStored>(first, second, 4, scale, zero) << 16)
            | (Code<TStored>(first, second, 5, scale, zero) << 20)
            | (Code<TStored>(first, second, 6, scale, zero) << 24)
            | (Code<TStored>(first, second, 7, scale, zero) << 28);
        if ((unit & (team - 1)) != 0) return;
        int group = (int)((uint)unit / (uint)team);
        TStored.Put(scales, group, TStored.ToBits(scale));
        if (symmetric == 0) zeroPoints[group] = (byte)zero;
    }

    /// <summary>The largest magnitude of either sign, as bits; a NaN is the largest of both.</summary>
    private static void Widen<TStored>(Quad first, Quad second, int place, ref int up, ref int down)
        where TStored : struct, IStored
    {
        int bits = Bits.Of(TStored.Of8(first, second, place)), magnitude = bits & Magnitudes.Mask;
        bool isNaN = magnitude > Magnitudes.Infinity;
        if (bits >= 0 || isNaN) up = Math.Max(up, magnitude);
        if (bits < 0 || isNaN) down = Math.Max(down, magnitude);
    }

    private static int Code<TStored>(Quad first, Quad second, int place, float scale, int zero)
        where TStored : struct, IStored =>
        8 + ToInteger(TStored.Rounded(TStored.Rounded(TStored.Of8(first, second, place) / scale) + zero));

    /// <summary>Clamped to [-8, 7], then rounded half to even; NaN gives 0.</summary>
    private static int ToInteger(float value)
    {
        float low = value < -8f ? -8f : value, clamped = low > 7f ? 7f : low;
        return (Bits.Of(value) & Magnitudes.Mask) > Magnitudes.Infinity ? 0 : Rounding.ToNearest(clamped);
    }
}
