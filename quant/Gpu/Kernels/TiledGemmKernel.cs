using Bnb.Quant.Gemm;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The portable matrix product: tiles of 64 x 64 results, 256 threads of 4 x 4 results each, 16 columns of both operands at
/// a time in shared memory (2 * 16 * 65 float32, and the map), weights decoded and rounded to the compute type on the way
/// in. Any shape, any phase.
/// Grid: one group per tile. Sums are float32, fused or not as the device likes, in runs of 256 products that are then
/// added, so that <see cref="GemmBounds.ForFp32"/> bounds them on every device.
/// </summary>
internal static class TiledGemmKernel
{
    public const int Tile = 64, Threads = 256;

    private const int Depth = 16, Pitch = Tile + 1, RunSteps = 16;

    public static void Run<TStored, TWeights>(
        ArrayView<byte> x,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> y,
        ProductShape shape)
        where TStored : struct, IStored
        where TWeights : struct, IWeights
    {
        ArrayView<float> values = SharedMemory.Allocate<float>(16);
        ArrayView<float> left = SharedMemory.Allocate<float>(Depth * Pitch);
        ArrayView<float> right = SharedMemory.Allocate<float>(Depth * Pitch);
        int thread = Group.IdxX, row = Grid.IdxY * Tile, column = Grid.IdxX * Tile;
        if (thread < TWeights.MapLength) values[thread] = map[thread];
        Group.Barrier();

        int threadRow = thread >> 4, threadColumn = thread & 15;
        float t00 = 0, t01 = 0, t02 = 0, t03 = 0, t10 = 0, t11 = 0, t12 = 0, t13 = 0;
        float t20 = 0, t21 = 0, t22 = 0, t23 = 0, t30 = 0, t31 = 0, t32 = 0, t33 = 0;
        float s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
        float s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
        int steps = (shape.K + Depth - 1) / Depth;
        for (int step = 0; step < steps; step++)
        {
            // 64 rows times 16 columns of each operand: 4 values a thread, neighbours along k.
            int p = step * Depth + threadColumn;
            for (int i = threadRow; i < Tile; i += Threads / Depth)
            {
                bool inside = p < shape.K;
                float a = 0f, b = 0f;
                if (inside && row + i < shape.M) a = TStored.At(x, (long)(row + i) * shape.K + p);
                if (inside && column + i < shape.N)
                {
                    long position = (long)(column + i) * shape.K + p + shape.Phase;
                    b = TStored.Rounded(TWeights.At(codes, absmax, values, position, column + i, shape));
                }

                left[threadColumn * Pitch + i] = a;
                right[threadColumn * Pitch + i] = b;
            }

            Group.Barrier();
            for (int q = 0; q < Depth; q++)
            {
                int l = q * Pitch + threadRow * 4, r = q * Pitch + threadColumn * 4;
                float a0 = left[l], a1 = left[l + 1], a2 = left[l + 2], a3 = left[l + 3];
                float b0 = right[r], b1 = right[r + 1], b2 = right[r + 2], b3 = right[r + 3];
                s00 += a0 * b0;
                s01 += a0 * b1;
                s02 += a0 * b2;
                s03 += a0 * b3;
                s10 += a1 * b0;
                s11 += a1 * b1;
                s12 += a1 * b2;
                s13 += a1 * b3;
                s20 += a2 * b0;
                s21 += a2 * b1;
                s22 += a2 * b2;
                s23 += a2 * b3;
                s30 += a3 * b0;
                s31 += a3 * b1;
                s32 += a3 * b2;
                s33 += a3 * b3;
            }

            Group.Barrier();
            if ((step & (RunSteps - 1)) == RunSteps - 1 || step == steps - 1)
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
        Store(y, shape, row, column, t00, t01, t02, t03);
        Store(y, shape, row + 1, column, t10, t11, t12, t13);
        Store(y, shape, row + 2, column, t20, t21, t22, t23);
        Store(y, shape, row + 3, column, t30, t31, t32, t33);
    }

    private static void Store(ArrayView<float> y, ProductShape shape, int row, int column, float v0, float v1, float v2, float v3)
    {
        if (row >= shape.M) return;
        long at = (long)row * shape.N + column;
        if (column < shape.N) y[at] = v0;
        if (column + 1 < shape.N) y[at + 1] = v1;
        if (column + 2 < shape.N) y[at + 2] = v2;
        if (column + 3 < shape.N) y[at + 3] = v3;
    }
}
