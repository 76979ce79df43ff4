using Bnb.Quant.Backends;
using Bnb.Quant.Blockwise;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Gemm;

/// <summary>
/// The matrix product of 16-bit activations with 4-bit weights, with the arithmetic of bitsandbytes: weights are
/// dequantized and rounded to the compute type, products are accumulated in float32.
/// </summary>
/// <remarks>Source: bitsandbytes 0.50, <c>autograd/_functions.py MatMul4Bit</c>, which multiplies by the dequantized
/// matrix. Here only a few rows by <see cref="GemmDriver.RunLength"/> weights are ever dequantized at a time.</remarks>
public static unsafe class MixedGemm4
{
    /// <summary>
    /// y[i,j] = sum over p of x[i,p] * round(quant_map[code(j,p)] * absmax) with float32 accumulation. The weights are the
    /// bits of <see cref="Dequantize4"/>; the sums are bounded by <see cref="GemmBounds.ForFp32"/> over those weights. For one
    /// path the bits do not depend on <paramref name="threads"/>.
    /// </summary>
    /// <param name="m">Rows of x and y; 0 is allowed, here and below.</param>
    /// <param name="n">Rows of the weight, columns of y.</param>
    /// <param name="k">Columns of x and of the weight; need not be a multiple of the block size. With 0, y is zero.</param>
    /// <param name="type">The compute type: what x holds and weights are rounded to.</param>
    /// <param name="x">[m, k] values of that type, row-major, little-endian, any alignment.</param>
    /// <param name="code">The 4-bit data type.</param>
    /// <param name="blocksize">Values per block, a power of two from 32 to 4096.</param>
    /// <param name="phase">How many values of the first block lie before the weight [0,0], from 0 to blocksize - 1: the rows
    /// given may begin in the middle of a block.</param>
    /// <param name="packed">(phase + n * k + 1) / 2 bytes that begin at the start of the first block. More is allowed.</param>
    /// <param name="absmax">One float32 per block of those. More is allowed.</param>
    /// <param name="y">[m, n] sums in float32, overwritten; the caller rounds them by <see cref="Narrow.FromSingle"/>.</param>
    /// <param name="threads">How many threads work at most, at least 1.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension, phase, block size or type is out of range.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
        int m,
        int n,
        int k,
        ElementType type,
        ReadOnlySpan<byte> x,
        Code4 code,
        int blocksize,
        int phase,
        ReadOnlySpan<byte> packed,
        ReadOnlySpan<float> absmax,
        Span<float> y,
        int threads,
        KernelPath path)
    {
        ArgumentNullException.ThrowIfNull(code);
        GemmShape.CheckDimensions(m, n, k);
        BlockGrid.CheckBlocksize(blocksize);
        ArgumentOutOfRangeException.ThrowIfNegative(phase);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(phase, blocksize);
        BlockGrid.CheckLength(nameof(x), (long)m * k * type.Size(), x.Length);
        BlockGrid.CheckLength(nameof(y), (long)m * n, y.Length);
        long values = phase + (long)n * k;
        CheckAtLeast(nameof(packed), (values + 1) / 2, packed.Length);
        CheckAtLeast(nameof(absmax), BlockGrid.BlockCount(values, blocksize), absmax.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        KernelPaths.Require(path);

        fixed (byte* xs = x, codes = packed)
        fixed (float* scales = absmax, ys = y, map = code.Values.Span)
        {
            var shape = new GemmJob(m, n, k, type, xs, ys, threads);
            var weights = new PackedWeights4(codes, scales, map, blocksize, phase, k);
            if (type == ElementType.BF16) Run<BF16Element>(shape, weights, path);
            else if (type == ElementType.F16) Run<F16Element>(shape, weights, path);
            else Run<F32Element>(shape, weights, path);
        }
    }

    private static void Run<TElement>(in GemmJob job, in PackedWeights4 weights, KernelPath path)
        where TElement : struct, IElement
    {
        switch (path)
        {
            case KernelPath.V512:
                GemmDriver.Run<Tile512, PackedRows4<TElement, CodeLookup512>>(job, new(weights));
                break;
            case KernelPath.V256:
                GemmDriver.Run<Tile256, PackedRows4<TElement, CodeLookup256>>(job, new(weights));
                break;
            case KernelPath.V128:
                GemmDriver.Run<Tile128, PackedRows4<TElement, CodeLookup128>>(job, new(weights));
                break;
            default:
                GemmDriver.Run<TileScalar, PackedRows4<TElement, CodeLookupScalar>>(job, new(weights));
                break;
        }
    }

    private static void CheckAtLeast(string name, long expected, int found)
    {
        if (found >= expected) return;
        throw new ArgumentException($"expected length at least {expected}, found {found}", name);
    }
}
