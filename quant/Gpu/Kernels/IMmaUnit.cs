using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>What multiplies tiles of 16 x 16 by 16 x 8 for a warp, in the register layout of mma.m16n8k16.</summary>
internal interface IMmaUnit
{
    /// <summary>Zeroes the sums of this thread's 16 tiles.</summary>
    static abstract void Clear(ArrayView<float> own);

    /// <summary>Two values rounded to the compute type, the first in the lower half.</summary>
    static abstract int Round(float low, float high);

    /// <summary>Adds the product of a tile; every thread of the warp with its fragments.</summary>
    static abstract void Multiply(ArrayView<float> own, int tile, int a0, int a1, int a2, int a3, int b0, int b1);

    /// <summary>The sums of a tile: rows g and g + 8, two columns each.</summary>
    static abstract void Sums(ArrayView<float> own, int tile, out float s0, out float s1, out float s2, out float s3);
}
