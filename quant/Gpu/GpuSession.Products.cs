using System.Runtime.InteropServices;
using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Gemm;
using Bnb.Quant.Gpu.Devices;
using Bnb.Quant.Gpu.Operations;
using Bnb.Quant.Int8;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gpu;

// Matrix products.
public sealed partial class GpuSession
{
    /// <summary>
    /// y[i,j] = sum over p of x[i,p] * round(quant_map[code(j,p)] * absmax) with float32 accumulation, as
    /// <see cref="MixedGemm4"/> computes it; the weights have the bits of <see cref="Dequantize4"/>. The sums are bounded by
    /// <see cref="GemmBounds.ForFp32"/>, on tensor cores by <see cref="GpuProducts.TensorCoreBound"/>.
    /// </summary>
    /// <param name="m">Rows of x and y; 0 is allowed, here and below. A single row takes the kernel for one token where k and
    /// phase are multiples of 8.</param>
    /// <param name="n">Rows of the weight, columns of y.</param>
    /// <param name="k">Columns of x and of the weight. With 0, y is zero.</param>
    /// <param name="type">The compute type: what x holds and weights are rounded to.</param>
    /// <param name="x">[m, k] values of that type, row-major, little-endian.</param>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096.</param>
    /// <param name="packed">(phase + n * k + 1) / 2 bytes that begin at the start of the first block. More is allowed.</param>
    /// <param name="absmax">One float32 per block of those. More is allowed.</param>
    /// <param name="y">[m, n] sums in float32, overwritten.</param>
    /// <param name="product">Which kernel. On tensor cores k a multiple of 16 and phase one of 16 are faster than others.</param>
    /// <param name="phase">How many values of the first block lie before the weight [0,0], from 0 to blocksize - 1.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension, phase, block size or type is out of range.</exception>
    /// <exception cref="GpuException">The device failed, the operands exceed the memory limit, or it has no tensor cores for
    /// this type.</exception>
    public void MixedGemm4(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        Code4 code,
        int blocksize,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<float> absmax,
        Span<float> y,
        GpuProduct product = GpuProduct.Auto,
        int phase = 0)
    {
        ArgumentNullException.ThrowIfNull(code);
        var operation = new ProductOperation(m, n, k, type, x, new WeightFormat(code, blocksize, phase), packed, absmax, y, product);
        Run(ref operation);
    }

    /// <summary>
    /// y[i,j] = sum over p of x[i,p] * round((code(j,p) * absmax(j)) * 1/127) with float32 accumulation; the weights have the
    /// bits of <see cref="DequantizeRows8"/> in the compute type, activations are not quantized. The sums are bounded by
    /// <see cref="GemmBounds.ForFp32"/>, on tensor cores by <see cref="GpuProducts.TensorCoreBound"/>, over those weights.
    /// </summary>
    /// <param name="m">Rows of x and y; 0 is allowed, here and below. A single row takes the kernel for one token where k is a
    /// multiple of 8.</param>
    /// <param name="n">Rows of the weight, columns of y.</param>
    /// <param name="k">Columns of x and of the weight. With 0, y is zero.</param>
    /// <param name="type">The compute type: what x holds and weights are rounded to.</param>
    /// <param name="x">[m, k] values of that type, row-major, little-endian.</param>
    /// <param name="codes">[n, k] codes, row-major.</param>
    /// <param name="absmax">One float32 per row of the weight (SCB).</param>
    /// <param name="y">[m, n] sums in float32, overwritten.</param>
    /// <param name="product">Which kernel. On tensor cores k a multiple of 16 is faster than others.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension or type is out of range.</exception>
    /// <exception cref="GpuException">The device failed, the operands exceed the memory limit, or it has no tensor cores for
    /// this type.</exception>
    public void MixedGemmInt8(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        ReadOnlySpan<sbyte> codes,
        ReadOnlySpan<float> absmax,
        Span<float> y,
        GpuProduct product = GpuProduct.Auto)
    {
        var operation = new ProductOperation(
            m, n, k, type, x, WeightFormat.Int8Rows, MemoryMarshal.AsBytes(codes), absmax, y, product);
        Run(ref operation);
    }

    /// <inheritdoc cref="MixedGemmGroups4.Run"/>
    /// <remarks>Groups of 32 to 4096 values, a power of two.</remarks>
    /// <param name="product">Which kernel.</param>
    /// <exception cref="GpuException">The device failed, the operands exceed the memory limit, or it has no tensor cores for
    /// this type.</exception>
    public void MixedGemmGroups4(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        int groupSize,
        ElementType scaleType,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<byte> scales,
        ReadOnlySpan<sbyte> zeroPoints,
        Span<float> y,
        GpuProduct product = GpuProduct.Auto)
    {
        GemmShape.CheckDimensions(m, n, k);
        BlockGrid.CheckBlocksize(groupSize);
        if (k % groupSize != 0) throw new ArgumentOutOfRangeException(nameof(k), k, $"must be a multiple of the group size {groupSize}");
        int groups = (int)((long)n * k / groupSize);
        Operands.CheckAtLeast(nameof(scales), (long)groups * scaleType.Size(), scales.Length);
        if (!zeroPoints.IsEmpty) Operands.CheckAtLeast(nameof(zeroPoints), groups, zeroPoints.Length);
        var widened = new float[groups];
        Widen.ToSingle(scaleType, scales[..(groups * scaleType.Size())], widened);
        var pairs = new float[2 * groups];
        for (int group = 0; group < groups; group++)
        {
            pairs[2 * group] = widened[group];
            pairs[2 * group + 1] = zeroPoints.IsEmpty ? 8 : 8 + zeroPoints[group];
        }

        var operation = new ProductOperation(
            m, n, k, type, x, WeightFormat.Int4Groups(groupSize, scaleType), packed[..(int)((long)n * k / 2)], pairs, y, product);
        Run(ref operation);
    }

    /// <inheritdoc cref="Int8Gemm.Run(Int8Activations, int, ReadOnlySpan{sbyte}, ReadOnlySpan{float}, Span{float}, int, KernelPath)"/>
    /// <exception cref="GpuException">The device failed, or the operands exceed the memory limit.</exception>
    public void Int8Gemm(
        Int8Activations x, int n, ReadOnlySpan<sbyte> codes, ReadOnlySpan<float> scb, Span<float> y)
    {
        var operation = new Int8ProductOperation(x, n, codes, scb, y);
        Run(ref operation);
    }
}
