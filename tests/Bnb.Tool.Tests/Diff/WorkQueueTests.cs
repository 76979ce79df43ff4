using Bnb.Engine.Work;
using Xunit;

namespace Bnb.Tool.Tests.Diff;

public sealed class WorkQueueTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Run_AnyThreads_ProcessesEveryItemOnceWithItsOwnBuffers(int threads)
    {
        int[] times = new int[1000];
        int buffers = 0;

        WorkQueue.Run(
            Enumerable.Range(0, times.Length),
            threads,
            () => new List<int> { Interlocked.Increment(ref buffers) },
            (item, own) =>
            {
                own.Add(item);
                Interlocked.Increment(ref times[item]);
            },
            TestContext.Current.CancellationToken);

        Assert.All(times, count => Assert.Equal(1, count));
        Assert.Equal(threads, buffers);
    }

    [Fact]
    public void Run_FailingItem_StopsTheOthersAndIsThrown()
    {
        int done = 0;

        InvalidDataException failure = Assert.Throws<InvalidDataException>(() => WorkQueue.Run(
            Enumerable.Range(0, int.MaxValue), 3, () => 0, (item, _) => _ = ++done > 100 ? throw new InvalidDataException($"{item}") : 0, CancellationToken.None));

        Assert.NotEmpty(failure.Message);
        Assert.InRange(done, 100, 1_000_000);
    }

    [Fact]
    public void Run_FailingEnumeration_IsThrown()
    {
        static IEnumerable<int> Items()
        {
            yield return 1;
            throw new InvalidDataException();
        }

        Assert.Throws<InvalidDataException>(() => WorkQueue.Run(Items(), 2, () => 0, (_, _) => { }, CancellationToken.None));
    }

    [Fact]
    public void Team_DisposedWhileThreadsRun_StopsThemAndWaits()
    {
        int running = 0;
        using (var team = new WorkerTeam(CancellationToken.None))
        {
            for (int i = 0; i < 4; i++)
            {
                team.Start($"worker {i}", () =>
                {
                    Interlocked.Increment(ref running);
                    team.Stop.WaitHandle.WaitOne();
                    Thread.Sleep(20);
                    Interlocked.Decrement(ref running);
                    throw new InvalidDataException("after the team was given up");
                });
            }

            SpinWait.SpinUntil(() => Volatile.Read(ref running) == 4);
        }

        Assert.Equal(0, running);
    }

    [Fact]
    public void Run_Cancelled_Throws()
    {
        using var cancel = new CancellationTokenSource();

        Assert.ThrowsAny<OperationCanceledException>(() => WorkQueue.Run(
            Enumerable.Range(0, int.MaxValue), 2, () => 0, (_, _) => cancel.Cancel(), cancel.Token));
    }
}
