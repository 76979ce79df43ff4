using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Nested;

/// <summary>
/// Double quantization: the absmax values of a tensor, less their mean, as 8-bit dynamic codes in blocks of 256. Source:
/// bitsandbytes 0.50, <c>functional.py quantize_4bit(compress_statistics=True)</c>.
/// </summary>
public static class NestedAbsmax
{
    /// <summary>Values per nested block; loaders accept no other.</summary>
    public const int Blocksize = 256;

    /// <summary>
    /// v = absmax - offset (float32), then <see cref="Blockwise8.Quantize"/> of v. Exact given the offset. A block whose v are
    /// all zero has nested absmax 0 and code 0 everywhere, which decodes to the offset.
    /// </summary>
    /// <param name="absmax">The values.</param>
    /// <param name="offset">Their mean, from <see cref="AbsmaxMean"/>.</param>
    /// <param name="codes">One code per value.</param>
    /// <param name="nestedAbsmax">One float32 per 256 values, the last block may be short.</param>
    /// <param name="path">As in <see cref="Blockwise8.Quantize"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Quantize(
        ReadOnlySpan<float> absmax, float offset, Span<byte> codes, Span<float> nestedAbsmax, KernelPath path)
    {
        Check(absmax.Length, codes.Length, nestedAbsmax.Length);
        KernelPaths.Require(path);
        for (int block = 0; block < nestedAbsmax.Length; block++)
        {
            int start = block * Blocksize;
            int length = Math.Min(Blocksize, absmax.Length - start);
            Blockwise8.QuantizeBlock(
                absmax.Slice(start, length), offset, codes.Slice(start, length), out nestedAbsmax[block], path);
        }
    }

    /// <summary>
    /// absmax = code's value * nested absmax + offset, a float32 multiplication and a float32 addition, not fused. A loader
    /// that fuses them may differ in the last bit.
    /// </summary>
    /// <param name="codes">One code per value.</param>
    /// <param name="nestedAbsmax">One float32 per 256 values.</param>
    /// <param name="offset">The mean that was subtracted.</param>
    /// <param name="absmax">The values to fill.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    public static void Dequantize(ReadOnlySpan<byte> codes, ReadOnlySpan<float> nestedAbsmax, float offset, Span<float> absmax)
    {
        Dequantize(codes, DynamicCode8.Values, nestedAbsmax, offset, absmax);
    }

    /// <summary>The same with the code table that a file brings along.</summary>
    /// <param name="map">256 float32 values, one per code.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    public static void Dequantize(
        ReadOnlySpan<byte> codes, ReadOnlySpan<float> map, ReadOnlySpan<float> nestedAbsmax, float offset, Span<float> absmax)
    {
        Check(absmax.Length, codes.Length, nestedAbsmax.Length);
        BlockGrid.CheckLength(nameof(map), DynamicCode8.Values.Length, map.Length);
        for (int i = 0; i < absmax.Length; i++)
        {
            // Two roundings: the product is a float32 before the offset is added.
            float value = map[codes[i]] * nestedAbsmax[i / Blocksize];
            absmax[i] = value + offset;
        }
    }

    /// <summary>
    /// The same in bfloat16, as bitsandbytes decodes what it saved after a forward on a CPU: the product is rounded to
    /// bfloat16, to nearest with ties to even, the offset added, and the sum rounded so again.
    /// </summary>
    /// <param name="map">256 float32 values, one per code.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    public static void DequantizeBFloat16(
        ReadOnlySpan<byte> codes, ReadOnlySpan<float> map, ReadOnlySpan<float> nestedAbsmax, float offset, Span<float> absmax)
    {
        Check(absmax.Length, codes.Length, nestedAbsmax.Length);
        BlockGrid.CheckLength(nameof(map), DynamicCode8.Values.Length, map.Length);
        for (int i = 0; i < absmax.Length; i++)
            absmax[i] = ToBFloat16(ToBFloat16(map[codes[i]] * nestedAbsmax[i / Blocksize]) + offset);
    }

    private static float ToBFloat16(float value) => BF16Element.FromBits(BF16Element.ToBits(value));

    private static void Check(int count, int codes, int nestedAbsmax)
    {
        BlockGrid.CheckLength(nameof(codes), count, codes);
        BlockGrid.CheckLength(nameof(nestedAbsmax), BlockGrid.BlockCount(count, Blocksize), nestedAbsmax);
    }
}
