using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Int4;

/// <summary>
/// Group-wise round-to-nearest INT4 in the format "pack-quantized": a scale per group, and a zero point when asymmetric.
/// Source: compressed-tensors 0.18, <c>quantization/utils/helpers.py calculate_qparams</c>,
/// <c>quantization/lifecycle/forward_helpers.py _quantize</c>, <c>compressors/pack_quantized/helpers.py pack_to_int32</c>,
/// with the division that torch's CPU kernels do.
/// </summary>
public static partial class QuantizeGroups4
{
    // All vector paths take 32 values at a time.
    private const int VectorValues = 32;

    /// <summary>
    /// Whether checkpoints are made with groups of this many values: 32, 64 or 128. <see cref="Run"/> computes others too, to
    /// hold other tools' files against their sources.
    /// </summary>
    public static bool IsGroupSize(int groupSize) => groupSize is 32 or 64 or 128;

    /// <summary>
    /// Quantizes whole groups. With R = rounding to <paramref name="type"/> and min &lt;= 0 &lt;= max over the group and 0:
    /// symmetric: scale = R(max(-min, max) / 7.5), zero = 0; asymmetric: scale = R(R(max - min) / 15), zero =
    /// round(clamp(R(-8 - R(min / scale)))). A scale of 0 becomes the type's epsilon after that. The code of a value is 8 +
    /// round(clamp(R(R(value / scale) + zero))). clamp is to [-8, 7], round is half to even, and NaN gives 0. Exact: the same
    /// bytes on every path.
    /// </summary>
    /// <param name="type">What <paramref name="source"/> and <paramref name="scales"/> hold.</param>
    /// <param name="groupSize">Values per group, a positive multiple of 8; those that are no multiple of 32 take the reference's
    /// time on every path.</param>
    /// <param name="symmetric">Whether 0.0 is the integer 0 in every group.</param>
    /// <param name="source">G times groupSize values as stored: little-endian, any alignment. Empty is allowed.</param>
    /// <param name="scales">G values of the type, little-endian.</param>
    /// <param name="zeroPoints">G integers in [-8, 7]; empty when symmetric.</param>
    /// <param name="packed">G times groupSize / 2 bytes: little-endian int32 words of 8 codes, the first value in the lowest
    /// nibble.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <returns>
    /// Whether every value is finite. When not, the output is still defined: a group with a NaN has a NaN scale, zero point 0
    /// and code 8 everywhere; an infinity makes the scale infinite. A finite group too wide for the type has an infinite
    /// scale as well, when asymmetric.
    /// </returns>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Group size or element type is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static bool Run(
        ElementType type,
        int groupSize,
        bool symmetric,
        ReadOnlySpan<byte> source,
        Span<byte> scales,
        Span<sbyte> zeroPoints,
        Span<byte> packed,
        KernelPath path)
    {
        PackedGroups4.CheckGroupSize(groupSize);
        int size = type.Size();
        long groupBytes = (long)groupSize * size;
        if (source.Length % groupBytes != 0)
        {
            throw new ArgumentException($"{source.Length} bytes are not whole groups of {groupSize} {type}", nameof(source));
        }

        int groups = (int)(source.Length / groupBytes);
        BlockGrid.CheckLength(nameof(scales), groups * size, scales.Length);
        BlockGrid.CheckLength(nameof(zeroPoints), symmetric ? 0 : groups, zeroPoints.Length);
        BlockGrid.CheckLength(nameof(packed), groups * (groupSize / 2), packed.Length);
        KernelPaths.Require(path);
        return type switch
        {
            ElementType.F32 => Run<F32Element>(groupSize, symmetric, source, scales, zeroPoints, packed, path),
            ElementType.F16 => Run<F16Element>(groupSize, symmetric, source, scales, zeroPoints, packed, path),
            _ => Run<BF16Element>(groupSize, symmetric, source, scales, zeroPoints, packed, path),
        };
    }

    private static bool Run<TElement>(
        int groupSize,
        bool symmetric,
        ReadOnlySpan<byte> source,
        Span<byte> scales,
        Span<sbyte> zeroPoints,
        Span<byte> packed,
        KernelPath path)
        where TElement : struct, IElement => (groupSize % VectorValues == 0 ? path : KernelPath.Reference) switch
        {
            KernelPath.V512 => V512<TElement>(groupSize, symmetric, source, scales, zeroPoints, packed),
            KernelPath.V256 => V256<TElement>(groupSize, symmetric, source, scales, zeroPoints, packed),
            KernelPath.V128 => V128<TElement>(groupSize, symmetric, source, scales, zeroPoints, packed),
            _ => Reference<TElement>(groupSize, symmetric, source, scales, zeroPoints, packed),
        };
}
