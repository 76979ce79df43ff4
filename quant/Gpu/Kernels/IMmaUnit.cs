using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// What tensor cores do for a warp and what feeds them: tiles of both operands in shared memory, filled by copies that run
/// beside the arithmetic, loaded as fragments by ldmatrix, multiplied by mma. Words mean what the type makes of them: a tile
/// of the left operand is 16 rows of 8 words, of the right one 8 rows of 8 words, each word two 16-bit values or four codes.
/// Places are bytes from the start of the tiles and multiples of 16; in the order of calls they are the whole program, so a
/// unit may keep everything in registers that have names. Tile, pair and part are constants at every call.
/// </summary>
internal interface IMmaUnit
{
    /// <summary>Words that a unit without tensor cores needs for each thread, see <see cref="WarpInSoftware"/>.</summary>
    const int WordsPerThread = 160;

    /// <summary>Makes the tiles and zeroes the sums. Once per kernel, outside every loop.</summary>
    /// <param name="own">What a unit without tensor cores works in; empty for others.</param>
    /// <returns>The tiles, for the calls below; empty where they have a name.</returns>
    static abstract ArrayView<int> Begin(ArrayView<int> own);

    /// <summary>Starts a copy of 16 bytes from global memory to a place, or of as many zeros.</summary>
    /// <param name="source">Where the bytes are.</param>
    /// <param name="address">Of source[0] on the device.</param>
    /// <param name="index">Which quad of the source; any where there is nothing to copy.</param>
    /// <param name="bytes">16, or 0 for zeros.</param>
    static abstract void Copy(ArrayView<int> own, int place, ArrayView<Quad> source, long address, long index, int bytes);

    /// <summary>Ends a group of copies.</summary>
    static abstract void Commit(ArrayView<int> own);

    /// <summary>Waits until all groups of this thread's copies but the last are in shared memory. A barrier shows them to the
    /// other threads.</summary>
    static abstract void WaitForAllButLast(ArrayView<int> tiles, ArrayView<int> own);

    /// <summary>Stores 16 bytes at a place.</summary>
    static abstract void Put(ArrayView<int> tiles, int place, int a, int b, int c, int d);

    /// <summary>The fragments of a left tile, 0 to 3: lane l gives the place of 16 bytes of row l % 16, the first half of the
    /// row for l below 16, else the second. Tiles are 16 rows of 64 bytes apart.</summary>
    static abstract void LoadLeft(ArrayView<int> tiles, ArrayView<int> own, int tile, int place);

    /// <summary>The fragments of right tiles 2 * pair and 2 * pair + 1: lane l gives the place of row l % 8 of the first tile
    /// for l below 16, else of the second; of the first half of the row where l / 8 is even. Pairs are 16 rows of 64 bytes apart.</summary>
    static abstract void LoadRight(ArrayView<int> tiles, ArrayView<int> own, int pair, int place);

    /// <summary>Adds the product of left tile tile / 4 and right tile tile % 4 to the sums of the tile, 0 to 15.</summary>
    static abstract void Multiply(ArrayView<int> own, int tile);
}

/// <summary>Of 16-bit values with float32 sums.</summary>
internal interface IMmaFloat : IMmaUnit
{
    /// <summary>Two values rounded to the compute type, the first in the lower half.</summary>
    static abstract int Round(float low, float high);

    /// <summary>y[at] = a sum of a tile: parts 0 and 1 are two columns of row g, 2 and 3 those of row g + 8.</summary>
    /// <param name="address">Of y[0] on the device.</param>
    static abstract void Store(ArrayView<int> own, int tile, int part, ArrayView<float> y, long address, long at);
}

/// <summary>Of 8-bit integers with 32-bit sums.</summary>
internal interface IMmaInt8 : IMmaUnit
{
    /// <summary>y[at] = float32(a sum of a tile) * rowScale * columnScale * factor, each rounded.</summary>
    /// <param name="address">Of y[0] on the device.</param>
    static abstract void Store(
        ArrayView<int> own, int tile, int part, ArrayView<float> y, long address, long at, float rowScale, float columnScale, float factor);
}
