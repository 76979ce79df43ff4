namespace Bnb.Quant.Gpu.Kernels;

/// <summary>The operands of a product with quantized weights: y[m, n] = x[m, k] * w[n, k] transposed.</summary>
internal struct ProductShape
{
    public int M;
    public int N;
    public int K;

    /// <summary>Of 4-bit weights: log2 of the block size.</summary>
    public int BlockShift;

    /// <summary>Of 4-bit weights: values of the first block before the weight [0,0].</summary>
    public int Phase;
}
