namespace Bnb.Quant.Gemm;

/// <summary>
/// The innermost loop of the matrix product for one vector width. Lanes run along rows of x, so that a weight is a scalar
/// spread over a vector and w needs no transposition.
/// </summary>
internal unsafe interface IGemmTile
{
    /// <summary>Rows of x side by side in the lanes of one tile.</summary>
    static abstract int Lanes { get; }

    /// <summary>Rows of w in one tile; divides <see cref="GemmDriver.ChunkRows"/>.</summary>
    static abstract int Rows { get; }

    /// <summary>
    /// sums[r * stride + l] (+)= sum over p &lt; length of w[r * TileStride + p] * x[p * Lanes + l], p in order.
    /// </summary>
    /// <param name="length">How many products per sum, at least 1.</param>
    /// <param name="w">Rows of weights, <see cref="GemmDriver.TileStride"/> floats apart.</param>
    /// <param name="x">length times Lanes values.</param>
    /// <param name="sums">Rows times Lanes sums.</param>
    /// <param name="stride">Floats between the rows of sums.</param>
    /// <param name="add">Whether to add to what sums holds or to overwrite it.</param>
    static abstract void Run(int length, float* w, float* x, float* sums, nint stride, bool add);

    /// <summary>The sum of length products x[p] * w[p], for a single row of x.</summary>
    static abstract float Dot(int length, float* w, float* x);
}

/// <summary>One value at a time, nothing fused.</summary>
internal readonly unsafe struct TileScalar : IGemmTile
{
    public static int Lanes => 1;

    public static int Rows => 1;

    public static void Run(int length, float* w, float* x, float* sums, nint stride, bool add)
    {
        float sum = Dot(length, w, x);
        *sums = add ? *sums + sum : sum;
    }

    public static float Dot(int length, float* w, float* x)
    {
        float sum = 0;
        for (int p = 0; p < length; p++) sum += x[p] * w[p];
        return sum;
    }
}
