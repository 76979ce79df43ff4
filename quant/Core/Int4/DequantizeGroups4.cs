using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Int4;

/// <summary>The inverse of <see cref="QuantizeGroups4"/>.</summary>
/// <remarks>Source: compressed-tensors 0.18, <c>quantization/lifecycle/forward_helpers.py _dequantize</c>.</remarks>
public static unsafe class DequantizeGroups4
{
    /// <summary>
    /// value = R((code - 8 - zero point) * scale), one float32 multiplication and R = rounding to
    /// <paramref name="scaleType"/>, then widened to float32. Exact in the IEEE sense: the same bytes on every path. An infinite
    /// scale gives infinities, and NaN where the factor is 0; a NaN scale gives NaN.
    /// </summary>
    /// <param name="scaleType">What <paramref name="scales"/> holds.</param>
    /// <param name="groupSize">Values per group, a positive multiple of 8.</param>
    /// <param name="packed">groupSize / 2 bytes for each of G groups: little-endian int32 words of 8 codes, the first value in
    /// the lowest nibble.</param>
    /// <param name="scales">G values of that type, little-endian, any alignment.</param>
    /// <param name="zeroPoints">G integers, in files from -8 to 7; empty for zeros.</param>
    /// <param name="destination">The G times groupSize values to fill; empty is allowed.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of groups needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Group size or scale type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
        ElementType scaleType,
        int groupSize,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<byte> scales,
        ReadOnlySpan<sbyte> zeroPoints,
        Span<float> destination,
        KernelPath path)
    {
        int groups = Check(scaleType, groupSize, packed.Length, scales.Length, zeroPoints.Length, destination.Length);
        KernelPaths.Require(path);
        fixed (byte* codes = packed, stored = scales)
        fixed (sbyte* zeros = zeroPoints)
        fixed (float* values = destination)
        {
            var weights = new PackedGroups4(codes, stored, zeros, scaleType, groupSize);
            Run<F32Element>(weights, groups, (byte*)values, path);
        }
    }

    /// <summary>The same value, rounded once more where <paramref name="type"/> is not the scales' type, by the rule of
    /// <see cref="Narrow.FromSingle"/>. With the scales' type it is what compressed-tensors' decompression gives.</summary>
    /// <param name="type">The format to write.</param>
    /// <param name="destination">type.Size() bytes for each of the G times groupSize values, little-endian, any alignment.</param>
    /// <inheritdoc cref="Run(ElementType, int, ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{sbyte}, Span{float}, KernelPath)"/>
    public static void Run(
        ElementType scaleType,
        int groupSize,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<byte> scales,
        ReadOnlySpan<sbyte> zeroPoints,
        ElementType type,
        Span<byte> destination,
        KernelPath path)
    {
        int size = type.Size();
        if (destination.Length % size != 0)
        {
            throw new ArgumentException($"{destination.Length} bytes are not whole values of {type}", nameof(destination));
        }

        int groups = Check(scaleType, groupSize, packed.Length, scales.Length, zeroPoints.Length, destination.Length / size);
        KernelPaths.Require(path);
        fixed (byte* codes = packed, stored = scales, values = destination)
        fixed (sbyte* zeros = zeroPoints)
        {
            var weights = new PackedGroups4(codes, stored, zeros, scaleType, groupSize);
            if (type == ElementType.F32) Run<F32Element>(weights, groups, values, path);
            else if (type == ElementType.F16) Run<F16Element>(weights, groups, values, path);
            else Run<BF16Element>(weights, groups, values, path);
        }
    }

    private static void Run<TElement>(in PackedGroups4 weights, int groups, byte* destination, KernelPath path)
        where TElement : struct, IElement
    {
        if (path == KernelPath.V512) Groups<GroupLookup512, TElement>(weights, groups, destination);
        else if (path == KernelPath.V256) Groups<GroupLookup256, TElement>(weights, groups, destination);
        else if (path == KernelPath.V128) Groups<GroupLookup128, TElement>(weights, groups, destination);
        else Groups<GroupLookupScalar, TElement>(weights, groups, destination);
    }

    private static void Groups<TLookup, TElement>(in PackedGroups4 weights, int groups, byte* destination)
        where TLookup : struct, IGroupLookup4
        where TElement : struct, IElement
    {
        nint groupBytes = (nint)weights.GroupSize * TElement.Size;
        for (int group = 0; group < groups; group++)
        {
            TLookup.ToStored<TElement>(weights, group, 0, weights.GroupSize, destination + group * groupBytes);
        }
    }

    private static int Check(ElementType scaleType, int groupSize, int packed, int scales, int zeroPoints, int count)
    {
        PackedGroups4.CheckGroupSize(groupSize);
        if (count % groupSize != 0) throw new ArgumentException($"{count} values are not whole groups of {groupSize}");
        int groups = count / groupSize;
        BlockGrid.CheckLength(nameof(packed), count / 2, packed);
        BlockGrid.CheckLength(nameof(scales), (long)groups * scaleType.Size(), scales);
        if (zeroPoints != 0) BlockGrid.CheckLength(nameof(zeroPoints), groups, zeroPoints);
        return groups;
    }
}
