using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The product on tensor cores: tiles of 128 x 128 results by 256 threads, 8 warps in 2 x 4, each 64 x 32 results as 4 x 4
/// mma.m16n8k16 tiles whose 64 sums per thread stay in registers. 32 columns of both operands are in shared memory twice,
/// 2 * 2 * 128 rows of 20 words (40 KiB): while one copy is multiplied, the next columns are on their way in registers, are
/// decoded and rounded, and go to the other copy. Rows of 20 words put the 32 words of a fragment into 32 banks.
/// Grid: one group per tile. k must be a multiple of 32, the phase one of 16, the type 16-bit.
/// Sums: products exact, float32 sums with the tensor cores' cut-off, see <c>GpuProducts.TensorCoreBound</c>.
/// </summary>
internal static class TensorGemmKernel
{
    public const int Tile = 128, Threads = 256, Depth = 32;

    /// <summary>Words of sums that a unit without tensor cores needs per group.</summary>
    public const int SumsPerGroup = Threads * IMmaUnit.WordsPerThread;

    private const int Pitch = 20, Side = Tile * Pitch;

    /// <param name="x">[m, k] 16-bit values.</param>
    /// <param name="codes">[n, k] codes, after as many as the phase says.</param>
    /// <param name="absmax">One per block or row.</param>
    /// <param name="map">As many values as the weights' <see cref="IWeights.MapLength"/> says.</param>
    /// <param name="y">[m, n].</param>
    /// <param name="address">Of y on the device: the tensor cores' sums are stored from where they are.</param>
    /// <param name="sums">Empty for tensor cores, see <see cref="SumsPerGroup"/> for others.</param>
    /// <param name="shape">The dimensions.</param>
    public static void Run<TUnit, TWeights>(
        ArrayView<Quad> x,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> y,
        long address,
        ArrayView<float> sums,
        ProductShape shape)
        where TUnit : struct, IMmaUnit
        where TWeights : struct, IWeights
    {
        ArrayView<float> values = SharedMemory.Allocate<float>(16);
        ArrayView<int> left = SharedMemory.Allocate<int>(2 * Side);
        ArrayView<int> right = SharedMemory.Allocate<int>(2 * Side);
        x = x.AsAligned(16);
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        int row = Grid.IdxY * Tile, column = Grid.IdxX * Tile;
        ArrayView<float> own = sums.Length == 0
            ? sums
            : sums.SubView((long)(Grid.IdxY * Grid.DimX + Grid.IdxX) * SumsPerGroup, SumsPerGroup);
        TUnit.Clear(own);
        if (thread < TWeights.MapLength) values[thread] = map[thread];

        // Two threads fill a row of 32 columns of each operand: 16 values each, two quads of x and one load of codes. Rows
        // beyond the end are the last one again and are not stored.
        int half = thread & 1, fill = thread >> 1;
        int xRow = Math.Min(row + fill, shape.M - 1), wRow = Math.Min(column + fill, shape.N - 1);
        long xAt = ((long)xRow * shape.K >> 3) + 2 * half, wAt = (long)wRow * shape.K + shape.Phase + 16 * half;
        int place = fill * Pitch + half * 8;
        int fragment = (lane >> 2) * Pitch + (lane & 3);
        int leftBase = (warp >> 2) * 64 * Pitch + fragment, rightBase = (warp & 3) * 32 * Pitch + fragment;

        Group.Barrier();
        Put(left, place, x[xAt], x[xAt + 1]);
        Decode<TUnit, TWeights>(
            right, place, TWeights.Load16(codes, wAt), TWeights.Scale(absmax, wAt, wRow, shape), values);
        Group.Barrier();
        int steps = shape.K / Depth, current = 0;
        for (int step = 0; step < steps; step++)
        {
            bool more = step + 1 < steps;
            Quad a = default, b = default, loaded = default;
            Scaling scale = default;
            if (more)
            {
                xAt += Depth / 8;
                wAt += Depth;
                a = x[xAt];
                b = x[xAt + 1];
                loaded = TWeights.Load16(codes, wAt);
                scale = TWeights.Scale(absmax, wAt, wRow, shape);
            }

            Multiply<TUnit>(left, right, own, leftBase + current, rightBase + current);
            Multiply<TUnit>(left, right, own, leftBase + current + 8, rightBase + current + 8);
            current = Side - current;
            if (more)
            {
                Put(left, current + place, a, b);
                Decode<TUnit, TWeights>(right, current + place, loaded, scale, values);
            }

            Group.Barrier();
        }

        row += (warp >> 2) * 64 + (lane >> 2);
        column += (warp & 3) * 32 + (lane & 3) * 2;
        Store<TUnit>(y, address, own, shape, 0, row, column);
        Store<TUnit>(y, address, own, shape, 1, row, column + 8);
        Store<TUnit>(y, address, own, shape, 2, row, column + 16);
        Store<TUnit>(y, address, own, shape, 3, row, column + 24);
        Store<TUnit>(y, address, own, shape, 4, row + 16, column);
        Store<TUnit>(y, address, own, shape, 5, row + 16, column + 8);
        Store<TUnit>(y, address, own, shape, 6, row + 16, column + 16);
        Store<TUnit>(y, address, own, shape, 7, row + 16, column + 24);
        Store<TUnit>(y, address, own, shape, 8, row + 32, column);
        Store<TUnit>(y, address, own, shape, 9, row + 32, column + 8);
        Store<TUnit>(y, address, own, shape, 10, row + 32, column + 16);
        Store<TUnit>(y, address, own, shape, 11, row + 32, column + 24);
        Store<TUnit>(y, address, own, shape, 12, row + 48, column);
        Store<TUnit>(y, address, own, shape, 13, row + 48, column + 8);
        Store<TUnit>(y, address, own, shape, 14, row + 48, column + 16);
        Store<TUnit>(y, address, own, shape, 15, row + 48, column + 24);
    }

    /// <summary>16 columns: 4 x 4 tiles. Register 0 and 1 of a fragment hold columns 2t and 2t + 1 of rows g and g + 8, 2 and 3
    /// those 8 columns on, for g = lane / 4 and t = lane % 4; of the weights, 0 and 1 hold those columns of row g.</summary>
    private static void Multiply<TUnit>(ArrayView<int> left, ArrayView<int> right, ArrayView<float> own, int l, int r)
        where TUnit : struct, IMmaUnit
    {
        int b0 = right[r], b1 = right[r + 4];
        int b2 = right[r + 8 * Pitch], b3 = right[r + 8 * Pitch + 4];
        int b4 = right[r + 16 * Pitch], b5 = right[r + 16 * Pitch + 4];
        int b6 = right[r + 24 * Pitch], b7 = right[r + 24 * Pitch + 4];
        Row<TUnit>(own, 0, left, l, b0, b1, b2, b3, b4, b5, b6, b7);
        Row<TUnit>(own, 4, left, l + 16 * Pitch, b0, b1, b2, b3, b4, b5, b6, b7);
        Row<TUnit>(own, 8, left, l + 32 * Pitch, b0, b1, b2, b3, b4, b5, b6, b7);
        Row<TUnit>(own, 12, left, l + 48 * Pitch, b0, b1, b2, b3, b4, b5, b6, b7);
    }

    private static void Row<TUnit>(
        ArrayView<float> own, int tile, ArrayView<int> left, int l, int b0, int b1, int b2, int b3, int b4, int b5, int b6, int b7)
        where TUnit : struct, IMmaUnit
    {
        int a0 = left[l], a1 = left[l + 8 * Pitch], a2 = left[l + 4], a3 = left[l + 8 * Pitch + 4];
        TUnit.Multiply(own, tile, a0, a1, a2, a3, b0, b1);
        TUnit.Multiply(own, tile + 1, a0, a1, a2, a3, b2, b3);
        TUnit.Multiply(own, tile + 2, a0, a1, a2, a3, b4, b5);
        TUnit.Multiply(own, tile + 3, a0, a1, a2, a3, b6, b7);
    }

    private static void Put(ArrayView<int> side, int place, Quad a, Quad b)
    {
        side[place] = a.A;
        side[place + 1] = a.B;
        side[place + 2] = a.C;
        side[place + 3] = a.D;
        side[place + 4] = b.A;
        side[place + 5] = b.B;
        side[place + 6] = b.C;
        side[place + 7] = b.D;
    }

    private static void Decode<TUnit, TWeights>(
        ArrayView<int> side, int place, Quad codes, Scaling scale, ArrayView<float> map)
        where TUnit : struct, IMmaUnit
        where TWeights : struct, IWeights
    {
        side[place] = Two<TUnit, TWeights>(codes, 0, scale, map);
        side[place + 1] = Two<TUnit, TWeights>(codes, 2, scale, map);
        side[place + 2] = Two<TUnit, TWeights>(codes, 4, scale, map);
        side[place + 3] = Two<TUnit, TWeights>(codes, 6, scale, map);
        side[place + 4] = Two<TUnit, TWeights>(codes, 8, scale, map);
        side[place + 5] = Two<TUnit, TWeights>(codes, 10, scale, map);
        side[place + 6] = Two<TUnit, TWeights>(codes, 12, scale, map);
        side[place + 7] = Two<TUnit, TWeights>(codes, 14, scale, map);
    }

    private static int Two<TUnit, TWeights>(Quad codes, int place, Scaling scale, ArrayView<float> map)
        where TUnit : struct, IMmaUnit
        where TWeights : struct, IWeights =>
        TUnit.Round(TWeights.Value(codes, place, scale, map), TWeights.Value(codes, place + 1, scale, map));

    private static void Store<TUnit>(
        ArrayView<float> y, long address, ArrayView<float> own, ProductShape shape, int tile, int row, int column)
        where TUnit : struct, IMmaUnit
    {
        bool first = column < shape.N, second = column + 1 < shape.N;
        long at = (long)row * shape.N + column;
        if (row < shape.M)
        {
            if (first) TUnit.Store(own, tile, 0, y, address, at);
            if (second) TUnit.Store(own, tile, 1, y, address, at + 1);
        }

        at += 8L * shape.N;
        if (row + 8 < shape.M)
        {
            if (first) TUnit.Store(own, tile, 2, y, address, at);
            if (second) TUnit.Store(own, tile, 3, y, address, at + 1);
        }
    }
}
