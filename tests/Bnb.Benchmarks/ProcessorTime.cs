using System.Diagnostics;

namespace Bnb.Benchmarks;

/// <summary>Rates by processor time of one thread, which other processes disturb less than time on the wall.</summary>
internal static class ProcessorTime
{
    /// <summary>Millions of values per second, the best of a second's runs after a second that is not counted.</summary>
    public static double Rate(int count, Action run)
    {
        TimeSpan start = Now();
        while ((Now() - start).TotalSeconds < 1) run();
        double best = double.PositiveInfinity;
        start = Now();
        while ((Now() - start).TotalSeconds < 1)
        {
            // Several, since the clock is coarse: at least 50 ms where 10 are not.
            TimeSpan before = Now();
            int runs = 0;
            do
            {
                for (int i = 0; i < 10; i++) run();
                runs += 10;
            }
            while ((Now() - before).TotalSeconds < 0.05);
            best = Math.Min(best, (Now() - before).TotalSeconds / runs);
        }

        return count / best / 1e6;
    }

    private static TimeSpan Now() => Process.GetCurrentProcess().TotalProcessorTime;
}
