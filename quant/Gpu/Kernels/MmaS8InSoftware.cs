using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// mma.m16n8k32 of 8-bit integers, as <see cref="MmaInSoftware{TStored}"/> does the other: of the 16 x 32 operand thread l holds
/// columns 4t to 4t + 3 of rows g and g + 8 (registers 0 and 1) and those 16 columns on (2 and 3); of the 32 x 8 operand
/// rows 4t to 4t + 3 of column g (0), and those 16 rows on (1); of the sums columns 2t and 2t + 1 of rows g and g + 8.
/// </summary>
internal readonly struct MmaS8InSoftware : IMmaInt8
{
    private const int TileWords = 49152 / 4;

    public static ArrayView<int> Begin(ArrayView<int> own)
    {
        WarpInSoftware.Begin(own);
        return SharedMemory.Allocate<int>(TileWords);
    }

    public static void Copy(ArrayView<int> own, int place, ArrayView<Quad> source, long address, long index, int bytes) =>
        WarpInSoftware.Copy(own, place, source, index, bytes);

    public static void Commit(ArrayView<int> own) => WarpInSoftware.Commit(own);

    public static void WaitForAllButLast(ArrayView<int> tiles, ArrayView<int> own) => WarpInSoftware.WaitForAllButLast(tiles, own);

    public static void Put(ArrayView<int> tiles, int place, int a, int b, int c, int d) => WarpInSoftware.Put(tiles, place, a, b, c, d);

    public static void LoadLeft(ArrayView<int> tiles, ArrayView<int> own, int tile, int place) =>
        WarpInSoftware.Load(tiles, own, place + 1024 * tile, WarpInSoftware.Left + 4 * tile);

    public static void LoadRight(ArrayView<int> tiles, ArrayView<int> own, int pair, int place) =>
        WarpInSoftware.Load(tiles, own, place + 1024 * pair, WarpInSoftware.Right + 4 * pair);

    public static void Multiply(ArrayView<int> own, int tile)
    {
        int lane = Group.IdxX & 31, sums = WarpInSoftware.Mine + 4 * tile;
        int left = WarpInSoftware.Left + 4 * (tile >> 2), right = WarpInSoftware.Right + 2 * (tile & 3);
        for (int t = 0; t < 4; t++)
        {
            int a = WarpInSoftware.Of((lane & ~3) + t) + left;
            int b = WarpInSoftware.Of(8 * (lane & 3) + t) + right, next = WarpInSoftware.Of(8 * (lane & 3) + 4 + t) + right;
            own[sums] = ScalarDot4.Add(own[a + 2], own[b + 1], ScalarDot4.Add(own[a], own[b], own[sums]));
            own[sums + 1] = ScalarDot4.Add(own[a + 2], own[next + 1], ScalarDot4.Add(own[a], own[next], own[sums + 1]));
            own[sums + 2] = ScalarDot4.Add(own[a + 3], own[b + 1], ScalarDot4.Add(own[a + 1], own[b], own[sums + 2]));
            own[sums + 3] = ScalarDot4.Add(own[a + 3], own[next + 1], ScalarDot4.Add(own[a + 1], own[next], own[sums + 3]));
        }
    }

    public static void Store(
        ArrayView<int> own, int tile, int part, ArrayView<float> y, long address, long at, float rowScale, float columnScale, float factor) =>
        y[at] = own[WarpInSoftware.Mine + tile * 4 + part] * rowScale * columnScale * factor;
}
