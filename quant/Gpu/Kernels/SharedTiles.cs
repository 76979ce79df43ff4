using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// Where the operands of a step are in shared memory: 128 rows of 64 bytes of each, 4 chunks of 16. Chunk c of row r is at place
/// c xor (r / 2 % 4) of its row, so that 8 rows of a chunk, which a phase of ldmatrix reads, and what 8 threads store at once
/// are in 32 different banks.
/// </summary>
internal static class SharedTiles
{
    public const int Rows = 128;

    /// <summary>Bytes of an operand.</summary>
    public const int Stage = Rows * 64;

    /// <summary>What takes a place of the first two chunks of a row to that of the last two, by xor.</summary>
    public const int SecondHalf = 32;

    /// <summary>The place of a chunk; that of the other one of its two is 16 away, by xor.</summary>
    public static int PlaceOf(int row, int chunk) => row * 64 + ((chunk ^ ((row >> 1) & 3)) << 4);

    /// <summary>What a lane gives to load left tile 0 of a warp of 64 rows, see <see cref="IMmaUnit.LoadLeft"/>.</summary>
    public static int LeftFragment(int warpRow, int lane) => PlaceOf(warpRow * 64 + (lane & 15), lane >> 4);

    /// <summary>What a lane gives to load right pair 0 of a warp of 32 rows, see <see cref="IMmaUnit.LoadRight"/>.</summary>
    public static int RightFragment(int warpColumn, int lane) =>
        PlaceOf(warpColumn * 32 + (lane & 7) + ((lane >> 4) << 3), (lane >> 3) & 1);

    /// <summary>The stage after one, of so many.</summary>
    public static int Next(int stage, int stages) => stage == (stages - 1) * Stage ? 0 : stage + Stage;

    /// <summary>Loads half a row of 4 left and 4 right tiles and adds their 4 x 4 products: 16 columns of 16-bit values, 32 of codes.</summary>
    /// <param name="l">What the lane gives for left tile 0, see <see cref="LeftFragment"/>.</param>
    /// <param name="r">What it gives for right pair 0, see <see cref="RightFragment"/>.</param>
    public static void Multiply<TUnit>(ArrayView<int> tiles, ArrayView<int> own, int l, int r)
        where TUnit : struct, IMmaUnit
    {
        TUnit.LoadRight(tiles, own, 0, r);
        TUnit.LoadRight(tiles, own, 1, r);
        TUnit.LoadLeft(tiles, own, 0, l);
        TUnit.LoadLeft(tiles, own, 1, l);
        TUnit.LoadLeft(tiles, own, 2, l);
        TUnit.LoadLeft(tiles, own, 3, l);
        TUnit.Multiply(own, 0);
        TUnit.Multiply(own, 1);
        TUnit.Multiply(own, 2);
        TUnit.Multiply(own, 3);
        TUnit.Multiply(own, 4);
        TUnit.Multiply(own, 5);
        TUnit.Multiply(own, 6);
        TUnit.Multiply(own, 7);
        TUnit.Multiply(own, 8);
        TUnit.Multiply(own, 9);
        TUnit.Multiply(own, 10);
        TUnit.Multiply(own, 11);
        TUnit.Multiply(own, 12);
        TUnit.Multiply(own, 13);
        TUnit.Multiply(own, 14);
        TUnit.Multiply(own, 15);
    }
}
