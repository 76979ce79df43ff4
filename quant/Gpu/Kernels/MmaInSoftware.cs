using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// mma.m16n8k16 with float32 arithmetic: what the documentation of the instruction says about who holds what, so that
/// everything around it can be tested where there are no tensor cores. Of the 16 x 16 operand thread l of a warp holds, with
/// g = l / 4 and t = l % 4, columns 2t and 2t + 1 of rows g and g + 8 (registers 0 and 1) and those 8 columns on (2 and 3); of
/// the 16 x 8 operand rows 2t and 2t + 1 of column g (0), and those 8 rows on (1); of the sums columns 2t and 2t + 1 of rows g
/// and g + 8.
/// </summary>
internal readonly struct MmaInSoftware<TStored> : IMmaFloat
    where TStored : struct, IStored
{
    private const int TileWords = 40960 / 4;

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
        float s0 = Bits.ToSingle(own[sums]), s1 = Bits.ToSingle(own[sums + 1]);
        float s2 = Bits.ToSingle(own[sums + 2]), s3 = Bits.ToSingle(own[sums + 3]);
        for (int t = 0; t < 4; t++)
        {
            int a = WarpInSoftware.Of((lane & ~3) + t) + left;
            int b = WarpInSoftware.Of(8 * (lane & 3) + t) + right, next = WarpInSoftware.Of(8 * (lane & 3) + 4 + t) + right;
            s0 += Dot(own[a], own[b]) + Dot(own[a + 2], own[b + 1]);
            s1 += Dot(own[a], own[next]) + Dot(own[a + 2], own[next + 1]);
            s2 += Dot(own[a + 1], own[b]) + Dot(own[a + 3], own[b + 1]);
            s3 += Dot(own[a + 1], own[next]) + Dot(own[a + 3], own[next + 1]);
        }

        own[sums] = Bits.Of(s0);
        own[sums + 1] = Bits.Of(s1);
        own[sums + 2] = Bits.Of(s2);
        own[sums + 3] = Bits.Of(s3);
    }

    public static int Round(float low, float high) => TStored.ToBits(low) | (TStored.ToBits(high) << 16);

    public static void Store(ArrayView<int> own, int tile, int part, ArrayView<float> y, long address, long at) =>
        y[at] = Bits.ToSingle(own[WarpInSoftware.Mine + tile * 4 + part]);

    private static float Dot(int x, int w) =>
        TStored.FromBits(x & 0xFFFF) * TStored.FromBits(w & 0xFFFF)
        + TStored.FromBits((x >> 16) & 0xFFFF) * TStored.FromBits((w >> 16) & 0xFFFF);
}
