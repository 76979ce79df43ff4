namespace Bnb.Engine.Evaluating.Operators;

/// <summary>Rows shared out among threads in runs, for operators that treat each row alone: no sum crosses a row, so the
/// number of threads does not show in the bits.</summary>
internal static class RowBlocks
{
    private const int RowsPerBlock = 16;

    /// <summary>Calls <paramref name="work"/> once for every row below <paramref name="rows"/>.</summary>
    public static void ForEach(int threads, int rows, Action<int> work) => Run(threads, (rows + RowsPerBlock - 1) / RowsPerBlock, block =>
    {
        int end = Math.Min(rows, (block + 1) * RowsPerBlock);
        for (int row = block * RowsPerBlock; row < end; row++) work(row);
    });

    /// <summary>Calls <paramref name="work"/> once for every number below <paramref name="count"/>, on up to
    /// <paramref name="threads"/> threads.</summary>
    public static void Run(int threads, int count, Action<int> work)
    {
        if (threads == 1 || count <= 1)
        {
            for (int i = 0; i < count; i++) work(i);
            return;
        }

        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, work);
    }
}
