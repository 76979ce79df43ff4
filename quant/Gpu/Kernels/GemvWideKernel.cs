using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <see cref="GemvKernel"/> with 16 bytes of codes a load: 32 weights of 4 bits or 16 of 8. Where k and the phase are
/// multiples of those. Decoding, sums and their bound are the same: products are added in words of 8.
/// </summary>
internal static class GemvWideKernel
{
    public const int Team = 32, LargestGroup = 256;

    public static void Run<TStored, TWeights>(
        ArrayView<Quad> x,
        ArrayView<byte> codes,
        ArrayView<float> absmax,
        ArrayView<float> map,
        ArrayView<float> y,
        ProductShape shape)
        where TStored : struct, IStored
        where TWeights : struct, IPackedWeights
    {
        x = x.AsAligned(16);
        ArrayView<float> values = SharedMemory.Allocate<float>(16);
        ArrayView<float> sums = SharedMemory.Allocate<float>(LargestGroup);
        int thread = Group.IdxX, lane = thread & (Team - 1);
        if (thread < TWeights.MapLength) values[thread] = map[thread];
        Group.Barrier();

        int row = Grid.IdxX * (Group.DimX >> 5) + (thread >> 5);
        float sum = 0;
        if (row < shape.N)
        {
            int loads = shape.K >> (TWeights.WideLoad == 32 ? 5 : 4);
            long first = (long)row * shape.K + shape.Phase;
            for (int load = lane; load < loads; load += Team)
            {
                long position = first + (long)load * TWeights.WideLoad;
                Quad loaded = codes.Cast<Quad>().AsAligned(16)[position >> (TWeights.WideLoad == 32 ? 5 : 4)];
                Scaling scale = TWeights.Scale(absmax, position, row, shape);
                int word = load * (TWeights.WideLoad >> 3);
                sum += Eight<TStored, TWeights>(x, word, loaded, 0, scale, values);
                sum += Eight<TStored, TWeights>(x, word + 1, loaded, 8, scale, values);
                if (TWeights.WideLoad == 32)
                {
                    sum += Eight<TStored, TWeights>(x, word + 2, loaded, 16, scale, values);
                    sum += Eight<TStored, TWeights>(x, word + 3, loaded, 24, scale, values);
                }
            }
        }

        sums[thread] = sum;
        Group.Barrier();
        for (int half = Team >> 1; half > 0; half >>= 1)
        {
            if (lane < half) sums[thread] += sums[thread + half];
            Group.Barrier();
        }

        if (lane == 0 && row < shape.N) y[row] = sums[thread];
    }

    private static float Eight<TStored, TWeights>(
        ArrayView<Quad> x, int word, Quad loaded, int place, Scaling scale, ArrayView<float> map)
        where TStored : struct, IStored
        where TWeights : struct, IPackedWeights
    {
        Quad first8 = x[word * (TStored.Quads >> 1)], second8 = default;
        if (TStored.Quads == 4) second8 = x[2 * word + 1];
        float p0 = Weight<TStored, TWeights>(loaded, place, scale, map) * TStored.Of8(first8, second8, 0);
        float p1 = Weight<TStored, TWeights>(loaded, place + 1, scale, map) * TStored.Of8(first8, second8, 1);
        float p2 = Weight<TStored, TWeights>(loaded, place + 2, scale, map) * TStored.Of8(first8, second8, 2);
        float p3 = Weight<TStored, TWeights>(loaded, place + 3, scale, map) * TStored.Of8(first8, second8, 3);
        float p4 = Weight<TStored, TWeights>(loaded, place + 4, scale, map) * TStored.Of8(first8, second8, 4);
        float p5 = Weight<TStored, TWeights>(loaded, place + 5, scale, map) * TStored.Of8(first8, second8, 5);
        float p6 = Weight<TStored, TWeights>(loaded, place + 6, scale, map) * TStored.Of8(first8, second8, 6);
        float p7 = Weight<TStored, TWeights>(loaded, place + 7, scale, map) * TStored.Of8(first8, second8, 7);
        return (p0 + p1 + (p2 + p3)) + (p4 + p5 + (p6 + p7));
    }

    private static float Weight<TStored, TWeights>(Quad codes, int place, Scaling scale, ArrayView<float> map)
        where TStored : struct, IStored
        where TWeights : struct, IPackedWeights => TStored.Rounded(TWeights.Value(codes, place, scale, map));
}
