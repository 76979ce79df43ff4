namespace Bnb.Quant.Gemm;

/// <summary>Shape, codes, scales and result of one int8 product. Valid while the caller keeps the memory fixed; lengths have
/// been checked.</summary>
/// <param name="x">Codes of the activations, [m, k].</param>
/// <param name="rowScales">Their scales, [m].</param>
/// <param name="w">Codes of the weight, [n, k].</param>
/// <param name="columnScales">Its scales, [n].</param>
/// <param name="y">[m, n].</param>
/// <param name="add">Whether y holds the outliers' sums, which the product is added to.</param>
/// <param name="threads">How many threads work at most.</param>
internal readonly unsafe struct Int8Job(
    int m, int n, int k, sbyte* x, float* rowScales, sbyte* w, float* columnScales, float* y, bool add, int threads)
{
    /// <summary>1 / 127^2, as the CUDA kernel multiplies by: 6.200012e-05f, which is that number rounded to float32.</summary>
    public const float InverseSquare = 6.200012e-05f;

    public readonly int M = m;
    public readonly int N = n;
    public readonly int K = k;
    public readonly sbyte* X = x;
    public readonly float* RowScales = rowScales;
    public readonly sbyte* W = w;
    public readonly float* ColumnScales = columnScales;
    public readonly float* Y = y;
    public readonly bool Add = add;
    public readonly int Threads = threads;

    /// <summary>The same product for a run of rows of x and y.</summary>
    public Int8Job Rows(int first, int count) => new(
        count, N, K, X + (nint)first * K, RowScales + first, W, ColumnScales, Y + (nint)first * N, Add, Threads);

    /// <summary>The same product for a run of rows of w, columns of y, on one thread. Only with one row of x.</summary>
    public Int8Job Columns(int first, int count) => new(
        M, count, K, X, RowScales, W + (nint)first * K, ColumnScales + first, Y + first, Add, 1);

    /// <summary>y[i, j] from an exact sum of products of codes: four roundings, and one where it is added to the outliers'.</summary>
    public void Finish(int i, int j, long sum)
    {
        float value = (float)sum * RowScales[i] * ColumnScales[j] * InverseSquare;
        float* y = Y + (nint)i * N + j;
        *y = Add ? value + *y : value;
    }
}
