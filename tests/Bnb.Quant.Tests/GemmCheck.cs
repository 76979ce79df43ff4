using Bnb.Quant.Gemm;

namespace Bnb.Quant.Tests;

/// <summary>Compares matrix products with the yardstick.</summary>
internal static class GemmCheck
{
    public static void AssertWithinBound(int m, int n, int k, float[] x, float[] w, float[] y, string what)
    {
        double worst = WorstRatio(m, n, k, x, w, y, GemmBounds.ForFp32);
        Assert.True(worst <= 1, $"[{m},{n},{k}] {what}: {worst} times the bound");
    }

    /// <summary>The largest error in units of a bound.</summary>
    public static double WorstRatio(
        int m, int n, int k, float[] x, float[] w, float[] y, Func<int, double, double> bound)
    {
        var expected = new double[m * n];
        var magnitudes = new double[m * n];
        ReferenceGemm.Run(m, n, k, x, w, expected, magnitudes);
        double worst = 0;
        for (int i = 0; i < y.Length; i++)
        {
            double ratio = Math.Abs(y[i] - expected[i]) / bound(k, magnitudes[i]);
            if (!(ratio <= worst)) worst = double.IsNaN(ratio) ? double.PositiveInfinity : ratio;
        }

        return worst;
    }
}
