using Bnb.Quant.Nested;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// <see cref="ExactMean"/> out of the bins of all parts: one group, whose threads add up the bins in shared memory (2 KiB), and
/// whose first one divides and rounds. Exact: integers only, also the division.
/// </summary>
internal static class ExactMeanKernel
{
    /// <param name="partial">What <see cref="AbsmaxBinsKernel"/> wrote.</param>
    /// <param name="parts">For how many groups.</param>
    /// <param name="count">Values in all of them, not 0.</param>
    /// <param name="mean">One value, written.</param>
    public static void Run(ArrayView<int> partial, int parts, int count, ArrayView<float> mean)
    {
        ArrayView<long> bins = SharedMemory.Allocate<long>(ExactMean.Bins);
        for (int bin = Group.IdxX; bin < ExactMean.Bins; bin += Group.DimX)
        {
            long low = 0, high = 0;
            for (int part = 0; part < parts; part++)
            {
                low += partial[part * AbsmaxBinsKernel.Words + bin];
                high += partial[part * AbsmaxBinsKernel.Words + ExactMean.Bins + bin];
            }

            bins[bin] = low + (high << AbsmaxBinsKernel.LowBits);
        }

        Group.Barrier();
        if (Group.IdxX == 0) mean[0] = Bits.ToSingle(MeanOf(bins, count));
    }

    private static int MeanOf(ArrayView<long> bins, int count)
    {
        int highest = ExactMean.Infinities - 1;
        while (highest > 0 && bins[highest] == 0) highest--;
        var mean = new ExactMean();
        for (int bin = 1; bin <= highest; bin++) mean.Take((ulong)bins[bin]);
        int finite = highest == 0 ? 0 : mean.Over(highest, (ulong)count);
        if (bins[ExactMean.Infinities] != 0) finite = Magnitudes.Infinity;
        return bins[ExactMean.NaNs] != 0 ? ExactMean.NaNBits : finite;
    }
}
