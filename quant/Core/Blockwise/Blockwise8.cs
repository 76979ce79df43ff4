using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Codes;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Blockwise;

/// <summary>Blockwise 8-bit quantization with the dynamic code. Source: bitsandbytes 0.50, <c>kQuantizeBlockwise</c>,
/// <c>kDequantizeBlockwise</c> with a 256-entry code.</summary>
public static class Blockwise8
{
    /// <summary>
    /// Per block: absmax = max |value|, x = value * (1/absmax) in float32, code = <see cref="DynamicCode8.Encode"/>(x). Exact.
    /// An all-zero block has absmax 0 and code 0 everywhere (the kernel computes 0 * inf = NaN), NaN does not count for absmax
    /// and has code 0, an infinity makes absmax infinite; where 1/absmax overflows x = value / absmax.
    /// </summary>
    /// <param name="source">The values.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096. The last block may be short.</param>
    /// <param name="codes">One code per value.</param>
    /// <param name="absmax">One float32 per block, ceil(count / blocksize).</param>
    /// <param name="path">Reference follows the kernel's search step by step; the others share one that looks codes
    /// up. Same bytes.</param>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The block size is not supported.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Quantize(ReadOnlySpan<float> source, int blocksize, Span<byte> codes, Span<float> absmax, KernelPath path)
    {
        Check(source.Length, blocksize, codes.Length, absmax.Length);
        KernelPaths.Require(path);
        for (int block = 0; block < absmax.Length; block++)
        {
            int start = block * blocksize;
            int length = Math.Min(blocksize, source.Length - start);
            QuantizeBlock(source.Slice(start, length), 0f, codes.Slice(start, length), out absmax[block], path);
        }
    }

    /// <summary>value = code's value * absmax of its block, one float32 multiplication. Lengths as in
    /// <see cref="Quantize"/>.</summary>
    /// <exception cref="ArgumentException">A span's length is not what the number of values needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The block size is not supported.</exception>
    public static void Dequantize(ReadOnlySpan<byte> codes, int blocksize, ReadOnlySpan<float> absmax, Span<float> destination)
    {
        Check(destination.Length, blocksize, codes.Length, absmax.Length);
        ReadOnlySpan<float> values = DynamicCode8.Values;
        for (int i = 0; i < codes.Length; i++) destination[i] = values[codes[i]] * absmax[i / blocksize];
    }

    /// <summary>One block of value - <paramref name="offset"/> (subtracted in float32), which nested absmax needs too.</summary>
    internal static void QuantizeBlock(
        ReadOnlySpan<float> source, float offset, Span<byte> codes, out float absmax, KernelPath path)
    {
        if (path != KernelPath.Reference)
        {
            absmax = BitConverter.Int32BitsToSingle(LargestMagnitude(source, offset));
            float reciprocal = 1f / absmax;
            // Zero, tiny and infinite absmax and blocks with NaN are left to the definition.
            if (float.IsFinite(absmax) && float.IsFinite(reciprocal))
            {
                DynamicBuckets.Encode(source, offset, reciprocal, codes);
                return;
            }
        }

        QuantizeBlockReference(source, offset, codes, out absmax);
    }

    private static void QuantizeBlockReference(ReadOnlySpan<float> source, float offset, Span<byte> codes, out float absmax)
    {
        absmax = 0f;
        foreach (float value in source)
        {
            float magnitude = MathF.Abs(value - offset);
            if (magnitude > absmax) absmax = magnitude;
        }

        var scale = new BlockScale(absmax);
        for (int i = 0; i < source.Length; i++) codes[i] = DynamicCode8.EncodeReference(scale.Apply(source[i] - offset));
    }

    /// <summary>The largest |source[i] - offset| as float32 bits, which order like the values; NaN comes out above all.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int LargestMagnitude(ReadOnlySpan<float> source, float offset)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(source);
        Vector<int> running = Vector<int>.Zero, mask = new(0x7FFF_FFFF);
        var offsets = new Vector<float>(offset);
        foreach (Vector<float> vector in vectors) running = Vector.Max(running, (vector - offsets).As<float, int>() & mask);

        int largest = 0;
        for (int lane = 0; lane < Vector<int>.Count; lane++) largest = Math.Max(largest, running[lane]);
        foreach (float value in source[(vectors.Length * Vector<float>.Count)..])
        {
            largest = Math.Max(largest, BitConverter.SingleToInt32Bits(value - offset) & 0x7FFF_FFFF);
        }

        return largest;
    }

    private static void Check(int count, int blocksize, int codes, int absmax)
    {
        BlockGrid.CheckBlocksize(blocksize);
        BlockGrid.CheckLength(nameof(codes), count, codes);
        BlockGrid.CheckLength(nameof(absmax), BlockGrid.BlockCount(count, blocksize), absmax);
    }
}
