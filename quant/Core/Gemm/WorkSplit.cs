namespace Bnb.Quant.Gemm;

/// <summary>Hands numbered pieces of work to threads, the next piece to whoever is free.</summary>
internal static class WorkSplit
{
    /// <summary>Calls <paramref name="work"/> once for every number below <paramref name="count"/>, on up to
    /// <paramref name="threads"/> threads including the caller's, and returns when all are done.</summary>
    public static void Run(int threads, int count, Action<int> work)
    {
        int workers = Math.Min(threads, count);
        if (workers <= 1)
        {
            for (int i = 0; i < count; i++) work(i);
            return;
        }

        int next = -1;
        Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, _ =>
        {
            for (int i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next)) work(i);
        });
    }
}
