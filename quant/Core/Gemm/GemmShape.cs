using Bnb.Quant.Numerics;

namespace Bnb.Quant.Gemm;

/// <summary>Argument checks that all matrix products share.</summary>
internal static class GemmShape
{
    /// <summary>Throws unless x is [m, k], w [n, k] and y [m, n], in values.</summary>
    public static void Check(int m, int n, int k, int x, int w, int y)
    {
        CheckDimensions(m, n, k);
        BlockGrid.CheckLength(nameof(x), (long)m * k, x);
        BlockGrid.CheckLength(nameof(w), (long)n * k, w);
        BlockGrid.CheckLength(nameof(y), (long)m * n, y);
    }

    /// <summary>Throws when a dimension is negative.</summary>
    public static void CheckDimensions(int m, int n, int k)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(m);
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
    }
}
