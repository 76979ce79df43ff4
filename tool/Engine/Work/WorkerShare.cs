namespace Bnb.Engine.Work;

/// <summary>
/// One of several processes that make an output together without talking to each other: each works out from the plan alone
/// what all of them do.
/// </summary>
/// <param name="Index">Which one, from 1 to <paramref name="Count"/>.</param>
/// <param name="Count">How many there are.</param>
internal sealed record WorkerShare(int Index, int Count)
{
    /// <summary>All of it.</summary>
    public static WorkerShare Whole { get; } = new(1, 1);

    /// <summary>The items that fall to this worker, in ascending order.</summary>
    /// <param name="costs">Of each item: bytes to read, say.</param>
    public IReadOnlyList<int> Of(IReadOnlyList<long> costs)
    {
        if (Count == 1) return [.. Enumerable.Range(0, costs.Count)];
        int[] workers = Assign(costs, Count);
        return [.. Enumerable.Range(0, costs.Count).Where(item => workers[item] == Index)];
    }

    /// <summary>
    /// The worker of each item. Costliest first, each item goes to the worker with the least so far (the lowest of them when
    /// several have): no worker then has more than the mean and one item.
    /// </summary>
    public static int[] Assign(IReadOnlyList<long> costs, int count)
    {
        var loads = new PriorityQueue<int, (long Load, int Worker)>();
        for (int worker = 1; worker <= Math.Min(count, costs.Count); worker++) loads.Enqueue(worker, (0, worker));
        int[] workers = new int[costs.Count];
        foreach (int item in Enumerable.Range(0, costs.Count).OrderByDescending(item => costs[item]).ThenBy(item => item))
        {
            loads.TryDequeue(out int worker, out (long Load, int Worker) least);
            workers[item] = worker;
            // An item costs something even when it holds nothing: a file is made for it.
            loads.Enqueue(worker, (least.Load + Math.Max(1, costs[item]), worker));
        }

        return workers;
    }

    public override string ToString() => $"{Index}/{Count}";
}
