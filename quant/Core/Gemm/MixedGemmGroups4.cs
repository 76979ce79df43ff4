using Bnb.Quant.Backends;
using Bnb.Quant.Int4;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Quant.Gemm;

/// <summary>
/// The matrix product of 16-bit activations with INT4 weights in groups: weights are decoded and rounded to the compute type,
/// products are accumulated in float32, as <see cref="MixedGemm4"/> does for blocks.
/// </summary>
/// <remarks>compressed-tensors 0.18 has no kernel of its own: it multiplies by the decompressed matrix.</remarks>
public static unsafe class MixedGemmGroups4
{
    /// <summary>
    /// y[i,j] = sum over p of x[i,p] * w[j,p] with float32 accumulation, where w is the matrix that
    /// <see cref="DequantizeGroups4"/> gives for the compute type, bit for bit. The sums are bounded by
    /// <see cref="GemmBounds.ForFp32"/> over those weights. For one path the bits do not depend on
    /// <paramref name="threads"/>.
    /// </summary>
    /// <param name="m">Rows of x and y; 0 is allowed, here and below.</param>
    /// <param name="n">Rows of the weight, columns of y.</param>
    /// <param name="k">Columns of x and of the weight, a multiple of the group size. With 0, y is zero.</param>
    /// <param name="type">The compute type: what x holds and weights are rounded to.</param>
    /// <param name="x">[m, k] values of that type, row-major, little-endian, any alignment.</param>
    /// <param name="groupSize">Values per group, a positive multiple of 8.</param>
    /// <param name="scaleType">What <paramref name="scales"/> holds.</param>
    /// <param name="packed">n * k / 2 bytes as <see cref="QuantizeGroups4"/> writes them. More is allowed.</param>
    /// <param name="scales">[n, k / groupSize] values of that type, row-major, little-endian. More is allowed.</param>
    /// <param name="zeroPoints">[n, k / groupSize] integers, row-major; more is allowed. Empty for zeros.</param>
    /// <param name="y">[m, n] sums in float32, overwritten; the caller rounds them by <see cref="Narrow.FromSingle"/>.</param>
    /// <param name="threads">How many threads work at most, at least 1.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension, group size or type is out of range.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
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
        int threads,
        KernelPath path)
    {
        GemmShape.CheckDimensions(m, n, k);
        PackedGroups4.CheckGroupSize(groupSize);
        if (k % groupSize != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(k), k, $"must be a multiple of the group size {groupSize}");
        }

        long groups = (long)n * (k / groupSize);
        BlockGrid.CheckLength(nameof(x), (long)m * k * type.Size(), x.Length);
        BlockGrid.CheckLength(nameof(y), (long)m * n, y.Length);
        CheckAtLeast(nameof(packed), groups * (groupSize / 2), packed.Length);
        CheckAtLeast(nameof(scales), groups * scaleType.Size(), scales.Length);
        if (!zeroPoints.IsEmpty) CheckAtLeast(nameof(zeroPoints), groups, zeroPoints.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        KernelPaths.Require(path);

        fixed (byte* xs = x, codes = packed, stored = scales)
        fixed (sbyte* zeros = zeroPoints)
        fixed (float* ys = y)
        {
            var job = new GemmJob(m, n, k, type, xs, ys, threads);
            var weights = new PackedGroups4(codes, stored, zeros, scaleType, groupSize);
            if (type == ElementType.BF16) Run<BF16Element>(job, weights, path);
            else if (type == ElementType.F16) Run<F16Element>(job, weights, path);
            else Run<F32Element>(job, weights, path);
        }
    }

    private static void Run<TElement>(in GemmJob job, in PackedGroups4 weights, KernelPath path)
        where TElement : struct, IElement
    {
        switch (path)
        {
            case KernelPath.V512:
                GemmDriver.Run<Tile512, GroupRows4<TElement, GroupLookup512>>(job, new(weights, job.K));
                break;
            case KernelPath.V256:
                GemmDriver.Run<Tile256, GroupRows4<TElement, GroupLookup256>>(job, new(weights, job.K));
                break;
            case KernelPath.V128:
                GemmDriver.Run<Tile128, GroupRows4<TElement, GroupLookup128>>(job, new(weights, job.K));
                break;
            default:
                GemmDriver.Run<TileScalar, GroupRows4<TElement, GroupLookupScalar>>(job, new(weights, job.K));
                break;
        }
    }

    private static void CheckAtLeast(string name, long expected, int found)
    {
        if (found >= expected) return;
        throw new ArgumentException($"expected length at least {expected}, found {found}", name);
    }
}
