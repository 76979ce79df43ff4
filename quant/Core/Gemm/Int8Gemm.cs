using System.Runtime.Intrinsics.X86;
using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>
/// The matrix product of LLM.int8() at inference: 16-bit activations are quantized row by row, codes are multiplied with exact
/// integer accumulation, and columns of activations with outliers are multiplied in their own precision.
/// </summary>
/// <remarks>Source: bitsandbytes 0.50, <c>autograd/_functions.py MatMul8bitLt.forward</c>, <c>backends/default/ops.py
/// int8_mixed_scaled_mm</c>, <c>csrc/kernels.cu kdequant_mm_int32_fp16</c>. There the integer part is rounded to 16 bits before
/// the outliers' sum is added and rounded again; here both are added in float32 and the caller rounds once.</remarks>
public static unsafe class Int8Gemm
{
    /// <summary>
    /// y[i,j] = (float32(sum over p of codeX[i,p] * code[j,p]) * SCA[i]) * SCB[j] * (1 / 127^2) + the sum over the outlier
    /// columns of x[i,p] * round((code[j,p] * SCB[j]) * (1/127)) in float32. The integer sum is exact for any k. Bounded by
    /// <see cref="Int8GemmBounds.For"/>; without outliers all paths give the same bits, which the operations above define.
    /// For one path the bits do not depend on <paramref name="threads"/>.
    /// </summary>
    /// <param name="m">Rows of x and y; 0 is allowed, here and below.</param>
    /// <param name="n">Rows of the weight, columns of y.</param>
    /// <param name="k">Columns of x and of the weight. With 0, y is zero.</param>
    /// <param name="type">The compute type: what x holds, and what weights of outlier columns are rounded to.</param>
    /// <param name="x">[m, k] values of that type, row-major, little-endian, any alignment.</param>
    /// <param name="codes">[n, k], row-major; any int8, though -128 is no code that the quantizer writes.</param>
    /// <param name="scb">Absmax per row of the weight, [n].</param>
    /// <param name="threshold">From what magnitude on an activation is an outlier, usually 6; with 0 none is.</param>
    /// <param name="y">[m, n] in float32, overwritten; the caller rounds by <see cref="Narrow.FromSingle"/>. May not overlap
    /// an input.</param>
    /// <param name="threads">How many threads work at most, at least 1.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension or the threshold is negative, the threshold is NaN, the type
    /// is not supported or there is no thread.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        ReadOnlySpan<sbyte> codes,
        ReadOnlySpan<float> scb,
        float threshold,
        Span<float> y,
        int threads,
        KernelPath path)
    {
        Check(m, n, k, codes.Length, scb.Length, y.Length, threads, path);
        Run(Int8Activations.Prepare(m, k, type, x, threshold, threads), n, codes, scb, y, threads, path);
    }

    /// <summary>The same for activations that were quantized before, so that many weights can share them.</summary>
    /// <param name="x">The activations, [m, k].</param>
    /// <inheritdoc cref="Run(int, int, int, ElementType, ReadOnlySpan{byte}, ReadOnlySpan{sbyte}, ReadOnlySpan{float}, float, Span{float}, int, KernelPath)"/>
    public static void Run(
        Int8Activations x,
        int n,
        ReadOnlySpan<sbyte> codes,
        ReadOnlySpan<float> scb,
        Span<float> y,
        int threads,
        KernelPath path) => Run(x, n, codes, scb, y, threads, path, AvxVnni.IsSupported);

    /// <summary>The same, with the choice whether V256 and V512 use AVX-VNNI instead of their own 16-bit products. It has to
    /// be supported. The bits are the same.</summary>
    internal static void Run(
        Int8Activations x,
        int n,
        ReadOnlySpan<sbyte> codes,
        ReadOnlySpan<float> scb,
        Span<float> y,
        int threads,
        KernelPath path,
        bool vnni)
    {
        ArgumentNullException.ThrowIfNull(x);
        Check(x.M, n, x.K, codes.Length, scb.Length, y.Length, threads, path);
        fixed (sbyte* xs = x.Codes, ws = codes)
        fixed (float* rowScales = x.Scales, columnScales = scb, outliers = x.OutlierValues, ys = y)
        fixed (int* columns = x.OutlierColumns)
        {
            int count = x.OutlierColumns.Length;
            var job = new Int8Job(x.M, n, x.K, xs, rowScales, ws, columnScales, ys, count > 0, threads);
            new Int8GemmParts(job, columns, outliers, count, x.Type, path, vnni).Run();
        }
    }

    private static void Check(int m, int n, int k, int codes, int scb, int y, int threads, KernelPath path)
    {
        GemmShape.CheckDimensions(m, n, k);
        BlockGrid.CheckLength(nameof(codes), (long)n * k, codes);
        BlockGrid.CheckLength(nameof(scb), n, scb);
        BlockGrid.CheckLength(nameof(y), (long)m * n, y);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        KernelPaths.Require(path);
    }
}
