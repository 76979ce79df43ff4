using Bnb.Quant.Codes;
using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>The table of NF-k, <see cref="NormalFloat.Values"/>: a thread per code computes its quantile of the normal
/// distribution and the largest one in float64, rounds both to float32 and divides. No shared memory. Exact: the code is the
/// CPU's, its float64 error is far from any rounding, and the division is IEEE. Needs float64.</summary>
internal static class NormalFloatKernel
{
    /// <param name="values">2^bits, written.</param>
    /// <param name="bits">k.</param>
    /// <param name="offset"><see cref="NormalFloat.Offset"/> of k.</param>
    public static void Run(ArrayView<float> values, int bits, float offset)
    {
        int code = Grid.IdxX * Group.DimX + Group.IdxX, codes = 1 << bits;
        if (code >= codes) return;
        values[code] = NormalFloat.Quantile(bits, offset, code) / NormalFloat.Quantile(bits, offset, codes - 1);
    }
}
