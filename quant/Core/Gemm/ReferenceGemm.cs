using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>The yardstick for every matrix product: double accumulation in index order.</summary>
public static class ReferenceGemm
{
    /// <summary>
    /// y[i,j] = sum over p of x[i,p] * w[j,p]. Products of two float32 are exact in float64, so the only errors are those of
    /// k - 1 float64 additions, together below k * 2^-53 * sum|x||w|, and the one rounding to float32.
    /// </summary>
    /// <param name="m">Rows of x and y; 0 is allowed, here and below.</param>
    /// <param name="n">Rows of w, columns of y.</param>
    /// <param name="k">Columns of x and w; with 0, y is zero.</param>
    /// <param name="x">[m, k], row-major.</param>
    /// <param name="w">[n, k], row-major, as linear layers store their weights.</param>
    /// <param name="y">[m, n], row-major, overwritten.</param>
    /// <exception cref="ArgumentException">A span's length is not what the shape needs.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is negative.</exception>
    public static void Run(int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<float> y)
    {
        GemmShape.Check(m, n, k, x.Length, w.Length, y.Length);
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++) y[i * n + j] = (float)Dot(x.Slice(i * k, k), w.Slice(j * k, k), out _);
        }
    }

    /// <summary>The same sums before rounding, with what error bounds need: sum over p of |x[i,p]| * |w[j,p]|.</summary>
    /// <param name="y">[m, n], overwritten.</param>
    /// <param name="magnitudes">[m, n], overwritten: the sums of absolute products.</param>
    /// <inheritdoc cref="Run(int, int, int, ReadOnlySpan{float}, ReadOnlySpan{float}, Span{float})"/>
    public static void Run(
        int m, int n, int k, ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<double> y, Span<double> magnitudes)
    {
        GemmShape.Check(m, n, k, x.Length, w.Length, y.Length);
        BlockGrid.CheckLength(nameof(magnitudes), y.Length, magnitudes.Length);
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                int at = i * n + j;
                y[at] = Dot(x.Slice(i * k, k), w.Slice(j * k, k), out magnitudes[at]);
            }
        }
    }

    private static double Dot(ReadOnlySpan<float> x, ReadOnlySpan<float> w, out double magnitude)
    {
        double sum = 0;
        magnitude = 0;
        for (int p = 0; p < x.Length; p++)
        {
            double product = (double)x[p] * w[p];
            sum += product;
            magnitude += Math.Abs(product);
        }

        return sum;
    }
}
