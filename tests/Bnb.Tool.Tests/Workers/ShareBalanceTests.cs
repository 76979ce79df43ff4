using Bnb.Engine.Work;
using Xunit;

namespace Bnb.Tool.Tests.Workers;

/// <summary>Shares of made-up outputs: everything once, the same for all, and even.</summary>
public sealed class ShareBalanceTests
{
    private const long GB = 1_000_000_000;

    [Theory]
    [InlineData(140, 2, 8, 1.03)]
    [InlineData(1_300, 2, 64, 1.07)]
    [InlineData(10_000, 2, 256, 1.06)]
    [InlineData(10_000, 1, 1024, 1.11)]
    [InlineData(10_000, 20, 32, 1.08)]
    public void Of_ManyShardsPerWorker_LeavesNoWorkerFarOverTheMean(long gigabytes, long shardGigabytes, int workers, double most)
    {
        long[] costs = Costs(gigabytes * GB, shardGigabytes * GB);

        long[] loads = Loads(costs, workers);

        Assert.InRange(loads.Max() / loads.Average(), 1, most);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 1024)]
    [InlineData(7, 3)]
    [InlineData(500, 1024)]
    [InlineData(5000, 1024)]
    public void Of_AnyNumbers_GivesEachShardToOneWorkerAndNobodyMoreThanTheMeanAndOne(int shards, int workers)
    {
        long[] costs = Costs(shards * 3 * GB, 3 * GB);
        int[] assigned = WorkerShare.Assign(costs, workers);
        int[] some = [1, (workers + 1) / 2, workers];

        Assert.All(assigned, worker => Assert.InRange(worker, 1, workers));
        Assert.All(some, worker => Assert.Equal(Enumerable.Range(0, costs.Length).Where(shard => assigned[shard] == worker), new WorkerShare(worker, workers).Of(costs)));
        Assert.True(Loads(costs, workers).Max() <= costs.Average() * costs.Length / workers + costs.Max());
    }

    [Fact]
    public void Of_ShardsThatHoldNothing_AreSpreadToo() =>
        Assert.Equal([2, 2, 2, 2], Enumerable.Range(1, 4).Select(worker => new WorkerShare(worker, 4).Of(new long[8]).Count));

    private static long[] Loads(long[] costs, int workers)
    {
        int[] assigned = WorkerShare.Assign(costs, workers);
        long[] loads = new long[workers];
        for (int shard = 0; shard < costs.Length; shard++) loads[assigned[shard] - 1] += costs[shard];
        return loads;
    }

    /// <summary>Shards as a layout makes them: nearly full, by how much depends on the next tensor, the last one shorter.</summary>
    private static long[] Costs(long total, long shard)
    {
        var random = new Random(17);
        var costs = new List<long>();
        for (long left = total; left > 0;)
        {
            long cost = Math.Min(left, shard - random.NextInt64(shard / 20));
            costs.Add(cost);
            left -= cost;
        }

        return [.. costs];
    }
}
