using Bnb.Quant.Nested;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>The partial sums of <see cref="AbsmaxMean.BlockSums"/>: a thread adds 256 values in float64, in index order.
/// Exact: the same additions as on the CPU. Needs float64.</summary>
internal static class BlockSumsKernel
{
    public static void Run(ArrayView<float> absmax, ArrayView<double> sums, int count)
    {
        int block = Grid.IdxX * Group.DimX + Group.IdxX;
        int first = block * NestedAbsmax.Blocksize;
        if (first >= count) return;
        int end = Math.Min(first + NestedAbsmax.Blocksize, count);
        double sum = 0;
        for (int i = first; i < end; i++) sum += absmax[i];
        sums[block] = sum;
    }
}
