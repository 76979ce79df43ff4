using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The same with float32 arithmetic, sums and fragments in memory: what the documentation of the instruction says about who
/// holds what, so that everything around it can be tested where there are no tensor cores. Of the 16 x 16 operand thread l of
/// a warp holds, with g = l / 4 and t = l % 4, columns 2t and 2t + 1 of rows g and g + 8 (registers 0 and 1) and those 8
/// columns on (2 and 3); of the 16 x 8 operand rows 2t and 2t + 1 of column g (0), and those 8 rows on (1); of the sums
/// columns 2t and 2t + 1 of rows g and g + 8.
/// </summary>
internal readonly struct MmaInSoftware<TStored> : IMmaUnit
    where TStored : struct, IStored
{
    private const int Sums = 64;

    public static void Clear(ArrayView<float> own)
    {
        for (int i = 0; i < Sums; i++) own[Group.IdxX * IMmaUnit.WordsPerThread + i] = 0f;
    }

    public static int Round(float low, float high) => TStored.ToBits(low) | (TStored.ToBits(high) << 16);

    public static void Multiply(ArrayView<float> own, int tile, int a0, int a1, int a2, int a3, int b0, int b1)
    {
        int mine = Group.IdxX * IMmaUnit.WordsPerThread, lane = Group.IdxX & 31;
        int warp = (Group.IdxX & ~31) * IMmaUnit.WordsPerThread;
        own[mine + Sums] = Bits.ToSingle(a0);
        own[mine + Sums + 1] = Bits.ToSingle(a1);
        own[mine + Sums + 2] = Bits.ToSingle(a2);
        own[mine + Sums + 3] = Bits.ToSingle(a3);
        own[mine + Sums + 4] = Bits.ToSingle(b0);
        own[mine + Sums + 5] = Bits.ToSingle(b1);
        Group.Barrier();
        int row = lane & ~3, column = (lane & 3) * 2 * 4;
        float s0 = own[mine + tile * 4], s1 = own[mine + tile * 4 + 1], s2 = own[mine + tile * 4 + 2], s3 = own[mine + tile * 4 + 3];
        for (int t = 0; t < 4; t++)
        {
            int x0 = At(own, warp, row + t, 0), x1 = At(own, warp, row + t, 1), x2 = At(own, warp, row + t, 2), x3 = At(own, warp, row + t, 3);
            int w0 = At(own, warp, column + t, 4), w1 = At(own, warp, column + t, 5);
            int v0 = At(own, warp, column + 4 + t, 4), v1 = At(own, warp, column + 4 + t, 5);
            s0 += Dot(x0, w0) + Dot(x2, w1);
            s1 += Dot(x0, v0) + Dot(x2, v1);
            s2 += Dot(x1, w0) + Dot(x3, w1);
            s3 += Dot(x1, v0) + Dot(x3, v1);
        }

        own[mine + tile * 4] = s0;
        own[mine + tile * 4 + 1] = s1;
        own[mine + tile * 4 + 2] = s2;
        own[mine + tile * 4 + 3] = s3;
        Group.Barrier();
    }

    public static void Store(ArrayView<float> own, int tile, int part, ArrayView<float> y, long address, long at) =>
        y[at] = own[Group.IdxX * IMmaUnit.WordsPerThread + tile * 4 + part];

    /// <summary>A fragment of another thread of the warp.</summary>
    private static int At(ArrayView<float> own, int warp, int lane, int fragment) =>
        Bits.Of(own[warp + lane * IMmaUnit.WordsPerThread + Sums + fragment]);

    private static float Dot(int x, int w) =>
        TStored.FromBits(x & 0xFFFF) * TStored.FromBits(w & 0xFFFF)
        + TStored.FromBits((x >> 16) & 0xFFFF) * TStored.FromBits((w >> 16) & 0xFFFF);
}
