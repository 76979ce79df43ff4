using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Int4;

/// <summary>
/// Group-wise INT4 whose scales are of another type than the weights, as compressed-tensors makes it with a <c>scale_dtype</c>: scale
/// and zero point come from the weights' type, the scale is rounded to its own, and the division promotes both to float32.
/// Slow and obvious: it is for holding files of others against their sources.
/// </summary>
public static class GivenScales4
{
    /// <summary>
    /// Scales by <see cref="QuantizeGroups4.Run"/> in <paramref name="type"/>, rounded to <paramref name="scaleType"/>, and codes
    /// 8 + round(clamp(value / scale + zero)) in float32, half to even. NaN gives 0.
    /// </summary>
    /// <param name="type">What <paramref name="source"/> holds.</param>
    /// <param name="scaleType">What <paramref name="scales"/> gets.</param>
    /// <param name="groupSize">Values per group, a positive multiple of 8.</param>
    /// <param name="symmetric">Whether 0.0 is the integer 0 in every group.</param>
    /// <param name="source">G times groupSize values as stored.</param>
    /// <param name="scales">G values of the scales' type, little-endian.</param>
    /// <param name="zeroPoints">G integers in [-8, 7]; empty when symmetric.</param>
    /// <param name="packed">G times groupSize / 2 bytes, the first value in the lowest nibble.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Group size or element type is not supported.</exception>
    public static void Run(
        ElementType type, ElementType scaleType, int groupSize, bool symmetric, ReadOnlySpan<byte> source, Span<byte> scales, Span<sbyte> zeroPoints, Span<byte> packed)
    {
        PackedGroups4.CheckGroupSize(groupSize);
        int groups = packed.Length / (groupSize / 2);
        var own = new byte[groups * type.Size()];
        QuantizeGroups4.Run(type, groupSize, symmetric, source, own, zeroPoints, packed, Backends.KernelPath.Reference);
        var values = new float[groups * groupSize];
        var rounded = new float[groups];
        Widen.ToSingle(type, source, values);
        Widen.ToSingle(type, own, rounded);
        Narrow.FromSingle(scaleType, rounded, scales);
        Widen.ToSingle(scaleType, scales, rounded);
        for (int i = 0; i < values.Length; i += 2)
        {
            int group = i / groupSize, zero = symmetric ? 0 : zeroPoints[group];
            packed[i / 2] = (byte)(Encode(values[i], rounded[group], zero) | (Encode(values[i + 1], rounded[group], zero) << 4));
        }
    }

    private static int Encode(float value, float scale, int zero)
    {
        float scaled = (value / scale) + zero;
        return float.IsNaN(scaled) ? 8 : 8 + (int)MathF.Round(Math.Clamp(scaled, -8f, 7f));
    }
}
