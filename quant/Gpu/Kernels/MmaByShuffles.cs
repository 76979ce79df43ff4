using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The same with shuffles and float32 arithmetic, sums in memory: what the documentation of the instruction says about who
/// holds what, so that everything around it can be tested where there are no tensor cores. Warps of 32.
/// </summary>
internal readonly struct MmaByShuffles<TStored> : IMmaUnit
    where TStored : struct, IStored
{
    public static void Clear(ArrayView<float> own)
    {
        for (int i = 0; i < 64; i++) own[i] = 0f;
    }

    public static int Round(float low, float high) => TStored.ToBits(low) | (TStored.ToBits(high) << 16);

    public static void Multiply(ArrayView<float> own, int tile, int a0, int a1, int a2, int a3, int b0, int b1)
    {
        int lane = Group.IdxX & 31, row = lane & ~3, column = (lane & 3) * 2;
        float s0 = own[tile * 4], s1 = own[tile * 4 + 1], s2 = own[tile * 4 + 2], s3 = own[tile * 4 + 3];
        for (int t = 0; t < 4; t++)
        {
            int x0 = Warp.Shuffle(a0, row + t), x1 = Warp.Shuffle(a1, row + t);
            int x2 = Warp.Shuffle(a2, row + t), x3 = Warp.Shuffle(a3, row + t);
            int w0 = Warp.Shuffle(b0, column * 4 + t), w1 = Warp.Shuffle(b1, column * 4 + t);
            int v0 = Warp.Shuffle(b0, column * 4 + 4 + t), v1 = Warp.Shuffle(b1, column * 4 + 4 + t);
            s0 += Dot(x0, w0) + Dot(x2, w1);
            s1 += Dot(x0, v0) + Dot(x2, v1);
            s2 += Dot(x1, w0) + Dot(x3, w1);
            s3 += Dot(x1, v0) + Dot(x3, v1);
        }

        own[tile * 4] = s0;
        own[tile * 4 + 1] = s1;
        own[tile * 4 + 2] = s2;
        own[tile * 4 + 3] = s3;
    }

    public static void Sums(ArrayView<float> own, int tile, out float s0, out float s1, out float s2, out float s3)
    {
        s0 = own[tile * 4];
        s1 = own[tile * 4 + 1];
        s2 = own[tile * 4 + 2];
        s3 = own[tile * 4 + 3];
    }

    private static float Dot(int x, int w) =>
        TStored.FromBits(x & 0xFFFF) * TStored.FromBits(w & 0xFFFF)
        + TStored.FromBits((x >> 16) & 0xFFFF) * TStored.FromBits((w >> 16) & 0xFFFF);
}
