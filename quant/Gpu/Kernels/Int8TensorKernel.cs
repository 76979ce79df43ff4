using Bnb.Quant.Gemm;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <see cref="Int8GemmKernel"/> on tensor cores: tiles of 128 x 128 results by 256 threads as in <see cref="TensorGemmKernel"/>,
/// with mma.m16n8k32. A step is 64 columns, 128 rows of 64 bytes of either operand (<see cref="SharedTiles"/>), three stages of
/// each (48 KiB), filled by cp.async two steps ahead. Sums are 32-bit and exact for at most 2^16 columns, 2^30 at most. Rows that
/// are no multiples of 16 bytes are loaded by bytes. Grid: one group per tile. Results as of <see cref="Int8GemmKernel"/>, bit for bit.
/// </summary>
internal static class Int8TensorKernel
{
    public const int Tile = SharedTiles.Rows, Threads = 256, MostColumns = 1 << 16;

    /// <summary>Words that a unit without tensor cores needs per group.</summary>
    public const int OwnPerGroup = Threads * IMmaUnit.WordsPerThread;

    private const int Depth = 64, Stages = 3, RightAt = Stages * SharedTiles.Stage;

    /// <param name="x">[m, k] codes; 0 in the outlier columns.</param>
    /// <param name="xAddress">Of x on the device.</param>
    /// <param name="codes">[n, k] codes.</param>
    /// <param name="codesAddress">Of the codes on the device.</param>
    /// <param name="scales">SCA, one per row of x.</param>
    /// <param name="absmax">SCB, one per row of the weight.</param>
    /// <param name="y">[m, n].</param>
    /// <param name="address">Of y on the device.</param>
    /// <param name="work">Empty for tensor cores, see <see cref="OwnPerGroup"/> for others.</param>
    /// <param name="shape">The dimensions.</param>
    public static void Run<TUnit>(
        ArrayView<byte> x,
        long xAddress,
        ArrayView<byte> codes,
        long codesAddress,
        ArrayView<float> scales,
        ArrayView<float> absmax,
        ArrayView<float> y,
        long address,
        ArrayView<int> work,
        ProductShape shape)
        where TUnit : struct, IMmaInt8
    {
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        int row = Grid.IdxY * Tile, column = Grid.IdxX * Tile;
        ArrayView<int> own = work.Length == 0
            ? work
            : work.SubView((long)(Grid.IdxY * Grid.DimX + Grid.IdxX) * OwnPerGroup, OwnPerGroup);
        ArrayView<int> tiles = TUnit.Begin(own);

        // Two threads fill a row of either operand: 32 codes each.
        int half = thread & 1, fill = thread >> 1, k = shape.K;
        int xRow = Math.Min(row + fill, shape.M - 1), wRow = Math.Min(column + fill, shape.N - 1);
        int place = SharedTiles.PlaceOf(fill, 2 * half), at = 32 * half;
        int l = SharedTiles.LeftFragment(warp >> 2, lane), r = RightAt + SharedTiles.RightFragment(warp & 3, lane);
        Fill<TUnit>(tiles, own, x, xAddress, xRow, at, k, place);
        Fill<TUnit>(tiles, own, codes, codesAddress, wRow, at, k, RightAt + place);
        TUnit.Commit(own);
        at += Depth;
        Fill<TUnit>(tiles, own, x, xAddress, xRow, at, k, SharedTiles.Stage + place);
        Fill<TUnit>(tiles, own, codes, codesAddress, wRow, at, k, RightAt + SharedTiles.Stage + place);
        TUnit.Commit(own);

        int stage = 0, fillStage = 2 * SharedTiles.Stage, steps = (k + Depth - 1) / Depth;
        for (int step = 0; step < steps; step++)
        {
            TUnit.WaitForAllButLast(tiles, own);
            Group.Barrier();
            at += Depth;
            Fill<TUnit>(tiles, own, x, xAddress, xRow, at, k, fillStage + place);
            Fill<TUnit>(tiles, own, codes, codesAddress, wRow, at, k, RightAt + fillStage + place);
            TUnit.Commit(own);
            SharedTiles.Multiply<TUnit>(tiles, own, stage + l, stage + r);
            SharedTiles.Multiply<TUnit>(tiles, own, stage + (l ^ SharedTiles.SecondHalf), stage + (r ^ SharedTiles.SecondHalf));
            stage = SharedTiles.Next(stage, Stages);
            fillStage = SharedTiles.Next(fillStage, Stages);
        }

        row += (warp >> 2) * 64 + (lane >> 2);
        column += (warp & 3) * 32 + (lane & 3) * 2;
        Store<TUnit>(scales, absmax, y, address, own, shape, 0, row, column);
        Store<TUnit>(scales, absmax, y, address, own, shape, 1, row, column + 8);
        Store<TUnit>(scales, absmax, y, address, own, shape, 2, row, column + 16);
        Store<TUnit>(scales, absmax, y, address, own, shape, 3, row, column + 24);
        Store<TUnit>(scales, absmax, y, address, own, shape, 4, row + 16, column);
        Store<TUnit>(scales, absmax, y, address, own, shape, 5, row + 16, column + 8);
        Store<TUnit>(scales, absmax, y, address, own, shape, 6, row + 16, column + 16);
        Store<TUnit>(scales, absmax, y, address, own, shape, 7, row + 16, column + 24);
        Store<TUnit>(scales, absmax, y, address, own, shape, 8, row + 32, column);
        Store<TUnit>(scales, absmax, y, address, own, shape, 9, row + 32, column + 8);
        Store<TUnit>(scales, absmax, y, address, own, shape, 10, row + 32, column + 16);
        Store<TUnit>(scales, absmax, y, address, own, shape, 11, row + 32, column + 24);
        Store<TUnit>(scales, absmax, y, address, own, shape, 12, row + 48, column);
        Store<TUnit>(scales, absmax, y, address, own, shape, 13, row + 48, column + 8);
        Store<TUnit>(scales, absmax, y, address, own, shape, 14, row + 48, column + 16);
        Store<TUnit>(scales, absmax, y, address, own, shape, 15, row + 48, column + 24);
    }

    /// <summary>32 codes of a row from a column on, zeros beyond its end.</summary>
    private static void Fill<TUnit>(
        ArrayView<int> tiles, ArrayView<int> own, ArrayView<byte> codes, long address, int row, int at, int k, int place)
        where TUnit : struct, IMmaInt8
    {
        if ((k & 15) == 0)
        {
            ArrayView<Quad> quads = codes.Cast<Quad>();
            long index = ((long)row * k + at) >> 4;
            TUnit.Copy(own, place, quads, address, index, Math.Min(Math.Max(k - at, 0), 16));
            TUnit.Copy(own, place ^ 16, quads, address, index + 1, Math.Min(Math.Max(k - at - 16, 0), 16));
            return;
        }

        PutSingly<TUnit>(tiles, place, codes, row, at, k);
        PutSingly<TUnit>(tiles, place ^ 16, codes, row, at + 16, k);
    }

    private static void PutSingly<TUnit>(ArrayView<int> tiles, int place, ArrayView<byte> codes, int row, int at, int k)
        where TUnit : struct, IMmaInt8 => TUnit.Put(
            tiles,
            place,
            Int8GemmKernel.WordAt(codes, row, int.MaxValue, at, k),
            Int8GemmKernel.WordAt(codes, row, int.MaxValue, at + 4, k),
            Int8GemmKernel.WordAt(codes, row, int.MaxValue, at + 8, k),
            Int8GemmKernel.WordAt(codes, row, int.MaxValue, at + 12, k));

    private static void Store<TUnit>(
        ArrayView<float> scales, ArrayView<float> absmax, ArrayView<float> y, long address, ArrayView<int> own, ProductShape shape, int tile, int row, int column)
        where TUnit : struct, IMmaInt8
    {
        bool first = column < shape.N, second = column + 1 < shape.N;
        long at = (long)row * shape.N + column;
        float left = 0f, right = 0f;
        if (first) left = absmax[column];
        if (second) right = absmax[column + 1];
        if (row < shape.M)
        {
            float scale = scales[row];
            if (first) TUnit.Store(own, tile, 0, y, address, at, scale, left, Int8Job.InverseSquare);
            if (second) TUnit.Store(own, tile, 1, y, address, at + 1, scale, right, Int8Job.InverseSquare);
        }

        at += 8L * shape.N;
        if (row + 8 < shape.M)
        {
            float scale = scales[row + 8];
            if (first) TUnit.Store(own, tile, 2, y, address, at, scale, left, Int8Job.InverseSquare);
            if (second) TUnit.Store(own, tile, 3, y, address, at + 1, scale, right, Int8Job.InverseSquare);
        }
    }
}
