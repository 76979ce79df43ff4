using Bnb.Quant.Gemm;
using ILGPU;
using ILGPU.Runtime;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The product of one row of activations: y[n] = w[n, k] x[k]. 32 threads take one output; each decodes words of 8 weights
/// (4 or 8 bytes), 32 words apart in steps so that neighbours read neighbouring words, and multiplies them with 8
/// activations, loaded in 16-byte accesses through the cache. The 32 sums are added as a tree in shared memory.
/// Grid: ceil(n / (group / 32)); shared memory: the map and one float32 per thread. k and the phase must be multiples of 8.
/// Sums: each product goes through 3 additions inside its word, one per word of its thread (k / 256) and 5 of the tree,
/// which is within <see cref="GemmBounds.ForFp32"/>.
/// </summary>
internal static class GemvKernel
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
            int words = shape.K >> 3;
            long first = (long)row * shape.K + shape.Phase;
            for (int word = lane; word < words; word += Team)
            {
                long position = first + ((long)word << 3);
                Quad loaded = TWeights.Load8(codes, position);
                Scaling scale = TWeights.Scale(absmax, position, row, shape);
                Quad first8 = x[word * (TStored.Quads >> 1)], second8 = default;
                if (TStored.Quads == 4) second8 = x[2 * word + 1];
                float p0 = Weight<TStored, TWeights>(loaded, 0, scale, values) * TStored.Of8(first8, second8, 0);
                float p1 = Weight<TStored, TWeights>(loaded, 1, scale, values) * TStored.Of8(first8, second8, 1);
                float p2 = Weight<TStored, TWeights>(loaded, 2, scale, values) * TStored.Of8(first8, second8, 2);
                float p3 = Weight<TStored, TWeights>(loaded, 3, scale, values) * TStored.Of8(first8, second8, 3);
                float p4 = Weight<TStored, TWeights>(loaded, 4, scale, values) * TStored.Of8(first8, second8, 4);
                float p5 = Weight<TStored, TWeights>(loaded, 5, scale, values) * TStored.Of8(first8, second8, 5);
                float p6 = Weight<TStored, TWeights>(loaded, 6, scale, values) * TStored.Of8(first8, second8, 6);
                float p7 = Weight<TStored, TWeights>(loaded, 7, scale, values) * TStored.Of8(first8, second8, 7);
                sum += (p0 + p1 + (p2 + p3)) + (p4 + p5 + (p6 + p7));
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

    private static float Weight<TStored, TWeights>(Quad codes, int place, Scaling scale, ArrayView<float> map)
        where TStored : struct, IStored
        where TWeights : struct, IPackedWeights => TStored.Rounded(TWeights.Value(codes, place, scale, map));
}
