using ILGPU;

namespace Bnb.Quant.Gpu.Kernels;

/// <summary>
/// ldmatrix and cp.async as their documentation has them, with the registers of every thread in memory, so that what is around
/// them can be tested where there are none. Of ldmatrix.x4 lane 8 j + r gives the place of row r of matrix j, 16 bytes; lane l
/// receives of every matrix word l % 4 of row l / 4. What cp.async copies is seen after the wait and not before.
/// </summary>
internal static class WarpInSoftware
{
    /// <summary>Where a thread's fragments of the left and of the right tiles begin, after its 64 sums.</summary>
    public const int Left = 64, Right = 80;

    // A place that was given to ldmatrix; copies in the open group, groups ended, groups done; then three groups of a count and
    // four copies, a place and 16 bytes each.
    private const int Place = 88, Open = 89, Ended = 90, Done = 91, Groups = 92, Copies = 5, GroupWords = 21, Ring = 3;

    public static int Mine => Group.IdxX * IMmaUnit.WordsPerThread;

    /// <summary>The first word of another thread of the warp.</summary>
    public static int Of(int lane) => ((Group.IdxX & ~31) + lane) * IMmaUnit.WordsPerThread;

    public static void Begin(ArrayView<int> own)
    {
        for (int i = 0; i < IMmaUnit.WordsPerThread; i++) own[Mine + i] = 0;
    }

    public static void Copy(ArrayView<int> own, int place, ArrayView<Quad> source, long index, int bytes)
    {
        int open = own[Mine + Open], slot = GroupAt(own[Mine + Ended]) + 1 + open * Copies;
        Quad quad = default;
        if (bytes > 0) quad = source[index];
        own[slot] = place;
        own[slot + 1] = quad.A;
        own[slot + 2] = quad.B;
        own[slot + 3] = quad.C;
        own[slot + 4] = quad.D;
        own[Mine + Open] = open + 1;
    }

    public static void Commit(ArrayView<int> own)
    {
        own[GroupAt(own[Mine + Ended])] = own[Mine + Open];
        own[Mine + Open] = 0;
        own[Mine + Ended]++;
    }

    public static void WaitForAllButLast(ArrayView<int> tiles, ArrayView<int> own)
    {
        for (int group = own[Mine + Done]; group < own[Mine + Ended] - 1; group++)
        {
            int first = GroupAt(group);
            for (int copy = 0; copy < own[first]; copy++)
            {
                int slot = first + 1 + copy * Copies;
                Put(tiles, own[slot], own[slot + 1], own[slot + 2], own[slot + 3], own[slot + 4]);
            }

            own[Mine + Done] = group + 1;
        }
    }

    public static void Put(ArrayView<int> tiles, int place, int a, int b, int c, int d)
    {
        tiles[place >> 2] = a;
        tiles[(place >> 2) + 1] = b;
        tiles[(place >> 2) + 2] = c;
        tiles[(place >> 2) + 3] = d;
    }

    /// <summary>ldmatrix.x4 into four words from a place among those of the thread on.</summary>
    public static void Load(ArrayView<int> tiles, ArrayView<int> own, int place, int registers)
    {
        int lane = Group.IdxX & 31;
        own[Mine + Place] = place;
        Group.Barrier();
        for (int matrix = 0; matrix < 4; matrix++)
        {
            int row = own[Of(8 * matrix + (lane >> 2)) + Place];
            own[Mine + registers + matrix] = tiles[(row >> 2) + (lane & 3)];
        }

        Group.Barrier();
    }

    private static int GroupAt(int group) => Mine + Groups + group % Ring * GroupWords;
}
