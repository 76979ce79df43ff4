using System.Diagnostics.CodeAnalysis;

namespace Bnb.Engine.Work;

/// <summary>
/// Work items taken by any number of threads, in order. Which thread takes an item is chance: items must write their results
/// to places of their own, so that the outcome does not depend on it.
/// </summary>
internal sealed class WorkQueue<TItem>(IEnumerable<TItem> items) : IDisposable
{
    private readonly IEnumerator<TItem> _items = items.GetEnumerator();
    private readonly Lock _lock = new();

    /// <summary>The next item; false when there is none left.</summary>
    public bool TryTake([MaybeNullWhen(false)] out TItem item)
    {
        lock (_lock)
        {
            bool more = _items.MoveNext();
            item = more ? _items.Current : default;
            return more;
        }
    }

    public void Dispose() => _items.Dispose();
}

/// <summary>Runs a whole queue.</summary>
internal static class WorkQueue
{
    /// <summary>Processes every item on <paramref name="threads"/> threads and returns when the last one is done.</summary>
    /// <param name="items">Enumerated lazily and under a lock, so that making an item may cost something.</param>
    /// <param name="newBuffers">Called once per thread.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static void Run<TItem, TBuffers>(
        IEnumerable<TItem> items, int threads, Func<TBuffers> newBuffers, Action<TItem, TBuffers> process, CancellationToken cancellation)
    {
        using var queue = new WorkQueue<TItem>(items);
        using var team = new WorkerTeam(cancellation);
        List<Thread> workers = [.. Enumerable.Range(0, threads).Select(index => team.Start($"worker {index}", Work))];
        foreach (Thread worker in workers) worker.Join();
        team.ThrowIfStopped();

        void Work()
        {
            TBuffers buffers = newBuffers();
            while (queue.TryTake(out TItem? item))
            {
                team.Stop.ThrowIfCancellationRequested();
                process(item, buffers);
            }
        }
    }
}
