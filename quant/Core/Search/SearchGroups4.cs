using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Search;

/// <summary>
/// Symmetric group-wise INT4 with a better scale than absmax / 7.5: per group the one, of either sign, whose integers -8 to 7
/// leave the least squared error. The layout is that of <see cref="QuantizeGroups4"/>, and so is the decoding.
/// </summary>
public static class SearchGroups4
{
    /// <summary>Of the float32 scales those are compared that have so many significant bits; the best one is then refined to all
    /// bits.</summary>
    public const int SignificantBits = 8;

    /// <summary>
    /// Quantizes whole groups. The scale is any number of the scales' type; the code of a value is 8 + round(clamp(value * (1 /
    /// scale))), half to even, in float32. The error counted is that of integer * scale before its rounding to the weights'
    /// type. Exact: the same bytes on every path.
    /// </summary>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="scaleType">What <paramref name="scales"/> holds.</param>
    /// <param name="groupSize">Values per group: 32, 64 or 128.</param>
    /// <param name="source">G times groupSize values as stored: little-endian, any alignment. Empty is allowed.</param>
    /// <param name="importance">What an error in each value weighs.</param>
    /// <param name="scales">G values of the scales' type, little-endian; negative where that is better.</param>
    /// <param name="packed">G times groupSize / 2 bytes, the first value of a pair in the low nibble.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <returns>Whether every value is finite. When not, the output is not defined.</returns>
    /// <remarks>
    /// An all-zero group has the scales' epsilon for a scale and code 8 everywhere, as without a search. Where absmax is below
    /// 2^-100 or above 2^100, absmax / 7.5 rounded to the type is the scale, or epsilon where that is 0.
    /// </remarks>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Group size or a type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static bool Run(
        ElementType type,
        ElementType scaleType,
        int groupSize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<byte> scales,
        Span<byte> packed,
        KernelPath path)
    {
        if (!QuantizeGroups4.IsGroupSize(groupSize))
        {
            throw new ArgumentOutOfRangeException(nameof(groupSize), groupSize, "must be 32, 64 or 128");
        }

        int size = type.Size(), groups = source.Length / (groupSize * size);
        if (source.Length % (groupSize * size) != 0)
        {
            throw new ArgumentException($"{source.Length} bytes are not whole groups of {groupSize} {type}", nameof(source));
        }

        BlockGrid.CheckLength(nameof(scales), (long)groups * scaleType.Size(), scales.Length);
        BlockGrid.CheckLength(nameof(packed), (long)groups * (groupSize / 2), packed.Length);
        KernelPaths.Require(path);
        var block = new LoadedBlock<Int4Table>(type, groupSize, path);
        return scaleType switch
        {
            ElementType.F32 => Run<F32Element, ShortScales>(block, new ShortScales(SignificantBits), groupSize, source, importance, scales, packed, path),
            ElementType.F16 => Run<F16Element, HalfScales<F16Element>>(block, default, groupSize, source, importance, scales, packed, path),
            _ => Run<BF16Element, HalfScales<BF16Element>>(block, default, groupSize, source, importance, scales, packed, path),
        };
    }

    private static bool Run<TScale, TSet>(
        LoadedBlock<Int4Table> group,
        TSet set,
        int groupSize,
        ReadOnlySpan<byte> source,
        ColumnImportance importance,
        Span<byte> scales,
        Span<byte> packed,
        KernelPath path)
        where TScale : struct, IElement
        where TSet : struct, IScaleSet
    {
        ScaleFinder find = ScaleFinders.On<Int4Table, TSet>(path, set);
        int half = groupSize / 2;
        for (int i = 0; i < packed.Length / half; i++)
        {
            if (!group.Load(source, i)) return false;
            ScaleChoice choice = group.Search(find, importance, (long)i * groupSize);
            float scale = choice.Index < 0 ? AbsmaxScale<TScale>(group.Absmax) : choice.Scale;
            Span<byte> place = scales.Slice(i * TScale.Size, TScale.Size);
            uint bits = TScale.ToBits(scale);
            if (TScale.Size == 4) MemoryMarshal.Write(place, bits);
            else MemoryMarshal.Write(place, (ushort)bits);

            ReadOnlySpan<byte> codes = group.Encode(scale);
            for (int pair = 0; pair < half; pair++) packed[(i * half) + pair] = (byte)(codes[2 * pair] | (codes[(2 * pair) + 1] << 4));
        }

        return true;
    }

    private static float AbsmaxScale<TScale>(float absmax)
        where TScale : struct, IElement
    {
        float scale = TScale.FromBits(TScale.ToBits(absmax / 7.5f));
        return scale == 0 || !float.IsFinite(scale) ? TScale.Epsilon : scale;
    }
}
