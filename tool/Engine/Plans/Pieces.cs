using System.Runtime.ExceptionServices;

namespace Bnb.Engine.Plans;

/// <summary>Pure work on pieces that do not know each other, by all cores where there is much of it.</summary>
internal static class Pieces
{
    private const int Few = 1 << 11;

    /// <summary>
    /// Runs the work on piece 0 to <paramref name="count"/> - 1; a failure is thrown as it is. The first piece is done alone: where it is
    /// small, starting threads would cost more than they do.
    /// </summary>
    /// <param name="work">Returns how many things were in the piece.</param>
    public static void Run(int count, Func<int, int> work)
    {
        if (count == 0) return;
        if (work(0) < Few)
        {
            for (int i = 1; i < count; i++) work(i);
            return;
        }

        RunTogether(count, work);
    }

    // By itself, so that what it needs is not even loaded for a small run.
    private static void RunTogether(int count, Func<int, int> work)
    {
        try
        {
            Parallel.For(1, count, index => work(index));
        }
        catch (AggregateException failed)
        {
            ExceptionDispatchInfo.Throw(failed.InnerExceptions[0]);
        }
    }
}
