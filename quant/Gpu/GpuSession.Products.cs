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

    /// <summary>
    /// y[i,j] = sum over p of x[i,p] * round(code(j,p) * scale(j)) with float32 accumulation; the weights have the bits that
    /// <see cref="ScaledCodes.DecodeCodes"/> gives E4M3 codes. The sums are bounded as those of <see cref="MixedGemm4"/>.
    /// </summary>
    /// <param name="codes">[n, k] codes.</param>
    /// <param name="scales">[n] scales.</param>
    /// <inheritdoc cref="MixedGemmInt8"/>
    public void MixedGemmFp8(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        ReadOnlySpan<byte> codes,
        ReadOnlySpan<float> scales,
        Span<float> y,
        GpuProduct product = GpuProduct.Auto)
    {
        var operation = new ProductOperation(m, n, k, type, x, WeightFormat.Fp8Rows, codes, scales, y, product);
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

    /// <summary>
    /// y[i,j] = sum over p of x[i,p] * w[j,p], all in float32, in the order of <see cref="MixedGemm4"/>'s tiles; bounded by
    /// <see cref="GemmBounds.ForFp32"/>. Operands beyond the memory limit go in parts, which changes no bit.
    /// </summary>
    /// <param name="m">Rows of x and y; 0 is allowed, here and below.</param>
    /// <param name="n">Rows of the weight, columns of y.</param>
    /// <param name="k">Columns of x and of the weight. With 0, y is zero.</param>
    /// <param name="x">[m, k] values, row-major.</param>
    /// <param name="w">[n, k] values, row-major.</param>
    /// <param name="y">[m, n] sums, overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is negative.</exception>
    /// <exception cref="GpuException">The device failed, or a row of each operand is beyond the memory limit.</exception>
    public void Gemm(int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y) =>
        Gemm(m, n, k, x, w, y, MaxDeviceMemoryBytes);

    /// <summary>The same in parts of at most so many bytes.</summary>
    internal void Gemm(int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y, long memory)
    {
        GemmShape.CheckDimensions(m, n, k);
        BlockGrid.CheckLength(nameof(x), (long)m * k, x.Length);
        BlockGrid.CheckLength(nameof(w), (long)n * k, w.Length);
        BlockGrid.CheckLength(nameof(y), (long)m * n, y.Length);
        // A third of the memory for x, the rest for w and y; a span of bytes ends at 2 GiB.
        long rowBytes = Math.Max(1, (long)k * sizeof(float)), most = Math.Min(memory, Array.MaxLength) - sizeof(float);
        int rows = (int)Math.Clamp(most / 3 / rowBytes, 1, Math.Max(1, m));
        int columns = (int)Math.Clamp((most - (rows * rowBytes)) / (rowBytes + ((long)rows * sizeof(float))), 1, Math.Max(1, n));
        float[]? part = columns < n ? new float[rows * columns] : null;
        for (int row = 0; row < m; row += rows)
        {
            int high = Math.Min(rows, m - row);
            ReadOnlySpan<byte> xs = MemoryMarshal.AsBytes(x.Slice(row * k, high * k));
            for (int column = 0; column < n; column += columns)
            {
                int wide = Math.Min(columns, n - column);
                Span<float> sums = part is null ? y.Slice(row * n, high * n) : part.AsSpan(0, high * wide);
                var operation = new ProductOperation(
                    high, wide, k, ElementType.F32, xs, WeightFormat.Dense, MemoryMarshal.AsBytes(w.Slice(column * k, wide * k)), [1f], sums, GpuProduct.Tiled);
                Run(ref operation);
                if (part is null) continue;
                for (int i = 0; i < high; i++) sums.Slice(i * wide, wide).CopyTo(y.Slice(((row + i) * n) + column, wide));
            }
        }
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
