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
        for (int j = 0; j < n; j++)
        {
            ReadOnlySpan<float> row = w.Slice(j * k, k);
            int i = 0;
            for (; i <= m - 4; i += 4) Dot4(x.Slice(i * k, 4 * k), row, y[(i * n + j)..], magnitudes[(i * n + j)..], n);
            for (; i < m; i++) y[i * n + j] = Dot(x.Slice(i * k, k), row, out magnitudes[i * n + j]);
        }
    }

    /// <summary>Four rows of x side by side, each in the order of <see cref="Dot"/>: an addition takes as long as four can be
    /// begun in.</summary>
    private static void Dot4(ReadOnlySpan<float> x, ReadOnlySpan<float> w, Span<double> y, Span<double> magnitudes, int stride)
    {
        int k = w.Length;
        ReadOnlySpan<float> x0 = x[..k], x1 = x.Slice(k, k), x2 = x.Slice(2 * k, k), x3 = x.Slice(3 * k, k);
        double s0 = 0, s1 = 0, s2 = 0, s3 = 0, m0 = 0, m1 = 0, m2 = 0, m3 = 0;
        for (int p = 0; p < k; p++)
        {
            double weight = w[p], p0 = x0[p] * weight, p1 = x1[p] * weight, p2 = x2[p] * weight, p3 = x3[p] * weight;
            (s0, s1, s2, s3) = (s0 + p0, s1 + p1, s2 + p2, s3 + p3);
            (m0, m1, m2, m3) = (m0 + Math.Abs(p0), m1 + Math.Abs(p1), m2 + Math.Abs(p2), m3 + Math.Abs(p3));
        }

        (y[0], y[stride], y[2 * stride], y[3 * stride]) = (s0, s1, s2, s3);
        (magnitudes[0], magnitudes[stride], magnitudes[2 * stride], magnitudes[3 * stride]) = (m0, m1, m2, m3);
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
