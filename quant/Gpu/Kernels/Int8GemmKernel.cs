using Bnb.Quant.Gemm;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The integer product of LLM.int8(): y = (float32(sum of codeX * code) * SCA) * SCB / 127^2. Tiles of 64 x 64 results, 256 threads of 4 x 4 each; 64 columns of both operands at a time in shared memory as
/// words of 4 codes (2 * 64 * 17 words); four products an instruction where the device has one. Sums are exact: 32 bits over
/// at most 2^16 columns, whose products of at most 2^14 add up to 2^30; 64 bits beyond, which no number of columns fills.
/// Grid: one group per tile. The bits are the CPU's. Outlier columns: <see cref="OutlierColumnsKernel"/>.
/// </summary>
internal static class Int8GemmKernel
{
    public const int Tile = 64, Threads = 256;

    /// <summary>Steps of 64 columns whose sums stay in 32 bits.</summary>
    public const int StepsPerSum = 1 << 10;

    private const int Words = 16, Pitch = Words + 1;

    /// <param name="x">[m, k] codes; 0 in the outlier columns.</param>
    /// <param name="codes">[n, k] codes.</param>
    /// <param name="scales">SCA, one per row of x.</param>
    /// <param name="absmax">SCB, one per row of the weight.</param>
    /// <param name="y">[m, n].</param>
    /// <param name="shape">The dimensions.</param>
    /// <param name="stepsPerSum">A power of two, at most <see cref="StepsPerSum"/>.</param>
    public static void Run<TDot>(
        ArrayView<byte> x,
        ArrayView<byte> codes,
        ArrayView<float> scales,
        ArrayView<float> absmax,
        ArrayView<float> y,
        ProductShape shape,
        int stepsPerSum)
        where TDot : struct, IDot4
    {
        ArrayView<int> left = SharedMemory.Allocate<int>(Tile * Pitch);
        ArrayView<int> right = SharedMemory.Allocate<int>(Tile * Pitch);
        int thread = Group.IdxX, row = Grid.IdxY * Tile, column = Grid.IdxX * Tile;
        int threadRow = thread >> 4, threadColumn = thread & 15;
        long t00 = 0, t01 = 0, t02 = 0, t03 = 0, t10 = 0, t11 = 0, t12 = 0, t13 = 0;
        long t20 = 0, t21 = 0, t22 = 0, t23 = 0, t30 = 0, t31 = 0, t32 = 0, t33 = 0;
        int s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
        int s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
        int steps = (shape.K + 4 * Words - 1) / (4 * Words);
        for (int step = 0; step < steps; step++)
        {
            // 64 rows of 16 words for each operand: 4 words a thread, neighbours along k.
            int at = (step * Words + threadColumn) * 4;
            for (int i = threadRow; i < Tile; i += Threads / Words)
            {
                left[i * Pitch + threadColumn] = WordAt(x, row + i, shape.M, at, shape.K);
                right[i * Pitch + threadColumn] = WordAt(codes, column + i, shape.N, at, shape.K);
            }

            Group.Barrier();
            for (int q = 0; q < Words; q++)
            {
                int l = threadRow * 4 * Pitch + q, r = threadColumn * 4 * Pitch + q;
                int a0 = left[l], a1 = left[l + Pitch], a2 = left[l + 2 * Pitch], a3 = left[l + 3 * Pitch];
                int b0 = right[r], b1 = right[r + Pitch], b2 = right[r + 2 * Pitch], b3 = right[r + 3 * Pitch];
                s00 = TDot.Add(a0, b0, s00);
                s01 = TDot.Add(a0, b1, s01);
                s02 = TDot.Add(a0, b2, s02);
                s03 = TDot.Add(a0, b3, s03);
                s10 = TDot.Add(a1, b0, s10);
                s11 = TDot.Add(a1, b1, s11);
                s12 = TDot.Add(a1, b2, s12);
                s13 = TDot.Add(a1, b3, s13);
                s20 = TDot.Add(a2, b0, s20);
                s21 = TDot.Add(a2, b1, s21);
                s22 = TDot.Add(a2, b2, s22);
                s23 = TDot.Add(a2, b3, s23);
                s30 = TDot.Add(a3, b0, s30);
                s31 = TDot.Add(a3, b1, s31);
                s32 = TDot.Add(a3, b2, s32);
                s33 = TDot.Add(a3, b3, s33);
            }

            Group.Barrier();
            if ((step & (stepsPerSum - 1)) == stepsPerSum - 1 || step == steps - 1)
            {
                t00 += s00;
                t01 += s01;
                t02 += s02;
                t03 += s03;
                t10 += s10;
                t11 += s11;
                t12 += s12;
                t13 += s13;
                t20 += s20;
                t21 += s21;
                t22 += s22;
                t23 += s23;
                t30 += s30;
                t31 += s31;
                t32 += s32;
                t33 += s33;
                s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0;
                s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0;
            }
        }

        row += threadRow * 4;
        column += threadColumn * 4;
        StoreRow(scales, absmax, y, shape, row, column, t00, t01, t02, t03);
        StoreRow(scales, absmax, y, shape, row + 1, column, t10, t11, t12, t13);
        StoreRow(scales, absmax, y, shape, row + 2, column, t20, t21, t22, t23);
        StoreRow(scales, absmax, y, shape, row + 3, column, t30, t31, t32, t33);
    }

    /// <summary>Four codes of a row as a word; 0 where the matrix ends. A row that is no whole words is read by bytes.</summary>
    public static int WordAt(ArrayView<byte> codes, int row, int rows, int column, int k)
    {
        if (row >= rows || column >= k) return 0;
        long at = (long)row * k + column;
        if ((k & 3) == 0) return codes.Cast<int>()[at >> 2];
        int word = codes[at];
        if (column + 1 < k) word |= codes[at + 1] << 8;
        if (column + 2 < k) word |= codes[at + 2] << 16;
        if (column + 3 < k) word |= codes[at + 3] << 24;
        return word;
    }

    private static void StoreRow(
        ArrayView<float> scales, ArrayView<float> absmax, ArrayView<float> y, ProductShape shape, int row, int column, long s0, long s1, long s2, long s3)
    {
        if (row >= shape.M) return;
        float scale = scales[row];
        long at = (long)row * shape.N + column;
        if (column < shape.N) y[at] = s0 * scale * absmax[column] * Int8Job.InverseSquare;
        if (column + 1 < shape.N) y[at + 1] = s1 * scale * absmax[column + 1] * Int8Job.InverseSquare;
        if (column + 2 < shape.N) y[at + 2] = s2 * scale * absmax[column + 2] * Int8Job.InverseSquare;
        if (column + 3 < shape.N) y[at + 3] = s3 * scale * absmax[column + 3] * Int8Job.InverseSquare;
    }
}
