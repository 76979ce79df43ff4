using Bnb.Quant.Nested;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// The bins of <see cref="ExactMean"/> over a part of the values for each group. Significands of 24 bits are added in two halves,
/// so that 32-bit atomics, which every device has, hold the sums of a part: 8192 values of 12 bits each are below 2^26.
/// Shared memory: two words per bin (2 KiB). Grid: ceil(count / <see cref="Part"/>). Exact: integers, whose order does not
/// count.
/// </summary>
internal static class AbsmaxBinsKernel
{
    /// <summary>Values of a group.</summary>
    public const int Part = 8192;

    /// <summary>Words that a group writes: the lower halves of all bins, then the upper ones.</summary>
    public const int Words = 2 * ExactMean.Bins;

    /// <summary>Bits of the lower half.</summary>
    public const int LowBits = 12;

    /// <param name="absmax">The values.</param>
    /// <param name="partial"><see cref="Words"/> for each group, written.</param>
    /// <param name="count">How many values.</param>
    public static void Run(ArrayView<float> absmax, ArrayView<int> partial, int count)
    {
        ArrayView<int> bins = SharedMemory.Allocate<int>(Words);
        for (int i = Group.IdxX; i < Words; i += Group.DimX) bins[i] = 0;
        Group.Barrier();
        int first = Grid.IdxX * Part, end = Math.Min(first + Part, count);
        for (int i = first + Group.IdxX; i < end; i += Group.DimX)
        {
            int bits = Bits.Of(absmax[i]), bin = ExactMean.BinOf(bits), share = ExactMean.ShareOf(bits);
            Atomic.Add(ref bins[bin], share & ((1 << LowBits) - 1));
            Atomic.Add(ref bins[ExactMean.Bins + bin], share >> LowBits);
        }

        Group.Barrier();
        for (int i = Group.IdxX; i < Words; i += Group.DimX) partial[Grid.IdxX * Words + i] = bins[i];
    }
}
