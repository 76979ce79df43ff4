using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The product on tensor cores: tiles of 128 x 128 results by 256 threads, 8 warps in 2 x 4, each 64 x 32 results as 4 x 4
/// mma.m16n8k16 tiles whose 64 sums per thread stay in registers. A step is 32 columns: 128 rows of 64 bytes of either operand
/// in shared memory (<see cref="SharedTiles"/>), three stages of the left operand and two of the right (40 KiB). While a step is
/// multiplied, cp.async brings x of the second next one, its codes are on their way in registers, and the codes of the next one are
/// decoded, rounded and stored, half of them after each half of the multiplications.
/// Grid: one group per tile. Any shape and any phase: what is beyond a row's end is zero in both operands; rows beyond the
/// last are the last again and not stored. Where rows of x are no multiples of 16 bytes, or codes do not begin at multiples of
/// 16, values are loaded one by one instead of by 16 bytes. The type is 16-bit.
/// Sums: products exact, float32 sums with the tensor cores' cut-off, see <c>GpuProducts.TensorCoreBound</c>.
/// </summary>
internal static class TensorGemmKernel
{
    public const int Tile = SharedTiles.Rows, Threads = 256;

    /// <summary>Words that a unit without tensor cores needs per group.</summary>
    public const int OwnPerGroup = Threads * IMmaUnit.WordsPerThread;

    private const int Depth = 32, LeftStages = 3, RightAt = LeftStages * SharedTiles.Stage;

    /// <param name="x">[m, k] 16-bit values.</param>
    /// <param name="xAddress">Of x on the device: copies to shared memory read from there.</param>
    /// <param name="codes">[n, k] codes, after as many as the phase says.</param>
    /// <param name="absmax">One per block or row.</param>
    /// <param name="map">As many values as the weights' <see cref="IWeights.MapLength"/> says.</param>
    /// <param name="y">[m, n].</param>
    /// <param name="address">Of y on the device: the tensor cores' sums are stored from where they are.</param>
    /// <param name="work">Empty for tensor cores, see <see cref="OwnPerGroup"/> for others.</param>
    /// <param name="shape">The dimensions.</param>
    public static void Run<TUnit, TWeights>(
        ArrayView<byte> x,
        long xAddress,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> y,
        long address,
        ArrayView<int> work,
        ProductShape shape)
        where TUnit : struct, IMmaFloat
        where TWeights : struct, IPackedWeights
    {
        ArrayView<float> values = SharedMemory.Allocate<float>(16);
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        int row = Grid.IdxY * Tile, column = Grid.IdxX * Tile;
        ArrayView<int> own = work.Length == 0
            ? work
            : work.SubView((long)(Grid.IdxY * Grid.DimX + Grid.IdxX) * OwnPerGroup, OwnPerGroup);
        ArrayView<int> tiles = TUnit.Begin(own);
        if (thread < TWeights.MapLength) values[thread] = map[thread];

        // Two threads fill a row of either operand: 16 values each.
        int half = thread & 1, fill = thread >> 1;
        int wRow = Math.Min(column + fill, shape.N - 1);
        long xAt = (long)Math.Min(row + fill, shape.M - 1) * shape.K, wAt = (long)wRow * shape.K + shape.Phase;
        int place = SharedTiles.PlaceOf(fill, 2 * half), at = 16 * half;
        bool inQuads = (shape.K & 7) == 0, in16 = ((shape.K | shape.Phase) & 15) == 0;
        int l = SharedTiles.LeftFragment(warp >> 2, lane), r = RightAt + SharedTiles.RightFragment(warp & 3, lane);

        Group.Barrier();
        Fill<TUnit>(tiles, own, x, xAddress, xAt, at, shape.K, inQuads, place);
        Fill<TUnit>(tiles, own, x, xAddress, xAt, at + Depth, shape.K, inQuads, place + SharedTiles.Stage);
        Quad loaded = default;
        Scaling scale = default;
        if (in16 && at < shape.K)
        {
            loaded = TWeights.Load16(codes, wAt + at);
            scale = TWeights.Scale(absmax, wAt + at, wRow, shape);
        }

        if (in16)
        {
            Decode<TUnit, TWeights>(tiles, RightAt + place, loaded, 0, scale, values);
            Decode<TUnit, TWeights>(tiles, RightAt + (place ^ 16), loaded, 8, scale, values);
        }
        else
        {
            DecodeSingly<TUnit, TWeights>(tiles, RightAt + place, codes, absmax, values, wAt, at, wRow, shape);
            DecodeSingly<TUnit, TWeights>(tiles, RightAt + (place ^ 16), codes, absmax, values, wAt, at + 8, wRow, shape);
        }

        loaded = default;
        scale = default;
        at += Depth;
        if (in16 && at < shape.K)
        {
            loaded = TWeights.Load16(codes, wAt + at);
            scale = TWeights.Scale(absmax, wAt + at, wRow, shape);
        }

        int leftStage = 0, fillStage = 2 * SharedTiles.Stage, rightStage = 0;
        int steps = (shape.K + Depth - 1) / Depth;
        for (int step = 0; step < steps; step++)
        {
            // Behind the barrier x of this step and its weights are there, and no one reads the stages that are filled now.
            TUnit.WaitForAllButLast(tiles, own);
            Group.Barrier();
            Fill<TUnit>(tiles, own, x, xAddress, xAt, at + Depth, shape.K, inQuads, fillStage + place);
            Quad next = default;
            Scaling nextScale = default;
            if (in16 && at + Depth < shape.K)
            {
                next = TWeights.Load16(codes, wAt + at + Depth);
                nextScale = TWeights.Scale(absmax, wAt + at + Depth, wRow, shape);
            }

            int put = RightAt + (rightStage ^ SharedTiles.Stage) + place;
            SharedTiles.Multiply<TUnit>(tiles, own, leftStage + l, rightStage + r);
            if (in16) Decode<TUnit, TWeights>(tiles, put, loaded, 0, scale, values);
            else DecodeSingly<TUnit, TWeights>(tiles, put, codes, absmax, values, wAt, at, wRow, shape);
            SharedTiles.Multiply<TUnit>(tiles, own, leftStage + (l ^ SharedTiles.SecondHalf), rightStage + (r ^ SharedTiles.SecondHalf));
            if (in16) Decode<TUnit, TWeights>(tiles, put ^ 16, loaded, 8, scale, values);
            else DecodeSingly<TUnit, TWeights>(tiles, put ^ 16, codes, absmax, values, wAt, at + 8, wRow, shape);

            loaded = next;
            scale = nextScale;
            at += Depth;
            rightStage ^= SharedTiles.Stage;
            leftStage = SharedTiles.Next(leftStage, LeftStages);
            fillStage = SharedTiles.Next(fillStage, LeftStages);
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

    /// <summary>Starts the copies of 16 values of a row of x from a column on, and ends their group.</summary>
    private static void Fill<TUnit>(
        ArrayView<int> tiles, ArrayView<int> own, ArrayView<byte> x, long address, long row, int at, int k, bool inQuads, int place)
        where TUnit : struct, IMmaFloat
    {
        if (inQuads)
        {
            ArrayView<Quad> quads = x.Cast<Quad>();
            long index = (row + at) >> 3;
            TUnit.Copy(own, place, quads, address, index, 2 * Math.Min(Math.Max(k - at, 0), 8));
            TUnit.Copy(own, place ^ 16, quads, address, index + 1, 2 * Math.Min(Math.Max(k - at - 8, 0), 8));
        }
        else
        {
            PutSingly<TUnit>(tiles, place, x.Cast<ushort>(), row, at, k);
            PutSingly<TUnit>(tiles, place ^ 16, x.Cast<ushort>(), row, at + 8, k);
        }

        TUnit.Commit(own);
    }

    private static void PutSingly<TUnit>(ArrayView<int> tiles, int place, ArrayView<ushort> x, long row, int at, int k)
        where TUnit : struct, IMmaFloat => TUnit.Put(
            tiles, place, TwoOf(x, row, at, k), TwoOf(x, row, at + 2, k), TwoOf(x, row, at + 4, k), TwoOf(x, row, at + 6, k));

    private static int TwoOf(ArrayView<ushort> x, long row, int at, int k)
    {
        int low = 0, high = 0;
        if (at < k) low = x[row + at];
        if (at + 1 < k) high = x[row + at + 1];
        return low | (high << 16);
    }

    private static void Decode<TUnit, TWeights>(
        ArrayView<int> tiles, int place, Quad codes, int first, Scaling scale, ArrayView<float> map)
        where TUnit : struct, IMmaFloat
        where TWeights : struct, IPackedWeights => TUnit.Put(
            tiles,
            place,
            Two<TUnit, TWeights>(codes, first, scale, map),
            Two<TUnit, TWeights>(codes, first + 2, scale, map),
            Two<TUnit, TWeights>(codes, first + 4, scale, map),
            Two<TUnit, TWeights>(codes, first + 6, scale, map));

    private static int Two<TUnit, TWeights>(Quad codes, int place, Scaling scale, ArrayView<float> map)
        where TUnit : struct, IMmaFloat
        where TWeights : struct, IPackedWeights =>
        TUnit.Round(TWeights.Value(codes, place, scale, map), TWeights.Value(codes, place + 1, scale, map));

    private static void DecodeSingly<TUnit, TWeights>(
        ArrayView<int> tiles,
        int place,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        long first,
        int at,
        int row,
        ProductShape shape)
        where TUnit : struct, IMmaFloat
        where TWeights : struct, IPackedWeights
    {
        int a = 0, b = 0, c = 0, d = 0;
        for (int i = 0; i < 8; i++)
        {
            float value = 0f;
            if (at + i < shape.K) value = TWeights.At(codes, absmax, map, first + at + i, row, shape);
            // The words move down by 16 bits and the value comes in at the top.
            a = ((a >> 16) & 0xFFFF) | (b << 16);
            b = ((b >> 16) & 0xFFFF) | (c << 16);
            c = ((c >> 16) & 0xFFFF) | (d << 16);
            d = ((d >> 16) & 0xFFFF) | TUnit.Round(0f, value);
        }

        TUnit.Put(tiles, place, a, b, c, d);
    }

    private static void Store<TUnit>(
        ArrayView<float> y, long address, ArrayView<int> own, ProductShape shape, int tile, int row, int column)
        where TUnit : struct, IMmaFloat
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
