using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>What multiplies tiles of 16 x 16 by 16 x 8 for a warp, in the register layout of mma.m16n8k16.</summary>
internal interface IMmaUnit
{
    /// <summary>Words that a unit without tensor cores needs for each thread: 64 sums and 6 fragments.</summary>
    const int WordsPerThread = 72;

    /// <summary>Zeroes the sums of this thread's 16 tiles.</summary>
    static abstract void Clear(ArrayView<float> own);

    /// <summary>Two values rounded to the compute type, the first in the lower half.</summary>
    static abstract int Round(float low, float high);

    /// <summary>Adds the product of a tile; every thread of the group with its fragments.</summary>
    static abstract void Multiply(ArrayView<float> own, int tile, int a0, int a1, int a2, int a3, int b0, int b1);

    /// <summary>y[at] = a sum of a tile: 0 and 1 are two columns of row g, 2 and 3 those of row g + 8. Tile and part are
    /// constants at every call.</summary>
    /// <param name="address">Of y[0] on the device.</param>
    static abstract void Store(ArrayView<float> own, int tile, int part, ArrayView<float> y, long address, long at);
}
