using Bnb.Quant.Backends;
using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>The float32 matrix product y = x w^T on the CPU.</summary>
public static unsafe class Sgemm
{
    /// <summary>
    /// y[i,j] = sum over p of x[i,p] * w[j,p] in float32. Bounded: see <see cref="GemmBounds.ForFp32"/>; NaN and infinities
    /// spread as IEEE arithmetic spreads them, though which NaN and, where partial sums overflow, whether infinity or NaN is
    /// open. For one path the bits do not depend on <paramref name="threads"/>; paths differ within the bound.
    /// </summary>
    /// <param name="m">Rows of x and y; 0 is allowed, here and below.</param>
    /// <param name="n">Rows of w, columns of y.</param>
    /// <param name="k">Columns of x and w; with 0, y is zero.</param>
    /// <param name="x">[m, k], row-major.</param>
    /// <param name="w">[n, k], row-major, as linear layers store their weights.</param>
    /// <param name="y">[m, n], row-major, overwritten. May not overlap an input.</param>
    /// <param name="threads">How many threads work at most, at least 1.</param>
    /// <param name="path">The implementation to use, one of <see cref="KernelPaths.Available"/>.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is negative or there is no thread.</exception>
    /// <exception cref="InvalidOperationException">This machine does not have the path.</exception>
    public static void Run(
        int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y, int threads, KernelPath path)
    {
        GemmShape.Check(m, n, k, x.Length, w.Length, y.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        KernelPaths.Require(path);
        fixed (float* xs = x, ws = w, ys = y) Run(new GemmJob(m, n, k, ElementType.F32, (byte*)xs, ys, threads), new SingleRows(ws, k), path, null);
    }

    /// <summary>The same product, to the bit, with an x that was rearranged before.</summary>
    /// <param name="x">[m, k], for one path.</param>
    /// <param name="n">Rows of w, columns of y.</param>
    /// <param name="w">[n, k], row-major.</param>
    /// <param name="y">[m, n], row-major, overwritten. May not overlap an input.</param>
    /// <param name="threads">How many threads work at most, at least 1.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is negative or there is no thread.</exception>
    public static void Run(SgemmInput x, int n, ReadOnlySpan<float> w, Span<float> y, int threads)
    {
        ArgumentNullException.ThrowIfNull(x);
        GemmShape.Check(x.Rows, n, x.Columns, x.Values.Length, w.Length, y.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        fixed (float* xs = x.Values, ws = w, ys = y)
            Run(new GemmJob(x.Rows, n, x.Columns, ElementType.F32, (byte*)xs, ys, threads), new SingleRows(ws, x.Columns), x.Path, x.Packed);
    }

    private static void Run(in GemmJob job, SingleRows rows, KernelPath path, float* prepared)
    {
        switch (path)
        {
            case KernelPath.V512:
                GemmDriver.Run<Tile512, SingleRows>(job, rows, prepared);
                break;
            case KernelPath.V256:
                GemmDriver.Run<Tile256, SingleRows>(job, rows, prepared);
                break;
            case KernelPath.V128:
                GemmDriver.Run<Tile128, SingleRows>(job, rows, prepared);
                break;
            default:
                GemmDriver.Run<TileScalar, SingleRows>(job, rows, prepared);
                break;
        }
    }
}
