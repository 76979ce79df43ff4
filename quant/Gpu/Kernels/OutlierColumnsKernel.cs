using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The outlier columns of an LLM.int8() product: y += the sum over them of x * weight, weights rounded to the compute type, sums in
/// float32 in the order of the columns. A thread decodes the weights of one row of w and multiplies them with 8 rows of x.
/// Grid: ceil(n / group) x ceil(m / 8). Within <c>Int8GemmBounds</c>.
/// </summary>
internal static class OutlierColumnsKernel
{
    /// <summary>Rows of x of a thread.</summary>
    public const int Rows = 8;

    /// <param name="codes">[n, k] codes.</param>
    /// <param name="absmax">SCB, one per row of the weight.</param>
    /// <param name="columns">The outlier columns.</param>
    /// <param name="outliers">[m, columns] values.</param>
    /// <param name="y">[m, n], what the integers gave.</param>
    /// <param name="shape">The dimensions.</param>
    public static void Run<TStored>(
        ArrayView<byte> codes, ArrayView<float> absmax, ArrayView<int> columns, ArrayView<float> outliers, ArrayView<float> y, ProductShape shape)
        where TStored : struct, IStored
    {
        int column = Grid.IdxX * Group.DimX + Group.IdxX, row = Grid.IdxY * Rows;
        if (column >= shape.N) return;
        int count = columns.IntLength, last = shape.M - 1;
        float scale = absmax[column];
        float s0 = 0f, s1 = 0f, s2 = 0f, s3 = 0f, s4 = 0f, s5 = 0f, s6 = 0f, s7 = 0f;
        for (int o = 0; o < count; o++)
        {
            int code = ((int)codes[(long)column * shape.K + columns[o]] << 24) >> 24;
            float weight = TStored.Rounded(Weights8.Of(code, scale));
            s0 += outliers[(long)row * count + o] * weight;
            s1 += outliers[(long)Math.Min(row + 1, last) * count + o] * weight;
            s2 += outliers[(long)Math.Min(row + 2, last) * count + o] * weight;
            s3 += outliers[(long)Math.Min(row + 3, last) * count + o] * weight;
            s4 += outliers[(long)Math.Min(row + 4, last) * count + o] * weight;
            s5 += outliers[(long)Math.Min(row + 5, last) * count + o] * weight;
            s6 += outliers[(long)Math.Min(row + 6, last) * count + o] * weight;
            s7 += outliers[(long)Math.Min(row + 7, last) * count + o] * weight;
        }

        Add(y, shape, row, column, s0);
        Add(y, shape, row + 1, column, s1);
        Add(y, shape, row + 2, column, s2);
        Add(y, shape, row + 3, column, s3);
        Add(y, shape, row + 4, column, s4);
        Add(y, shape, row + 5, column, s5);
        Add(y, shape, row + 6, column, s6);
        Add(y, shape, row + 7, column, s7);
    }

    private static void Add(ArrayView<float> y, ProductShape shape, int row, int column, float sum)
    {
        if (row < shape.M) y[(long)row * shape.N + column] += sum;
    }
}
