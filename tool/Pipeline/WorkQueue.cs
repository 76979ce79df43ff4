using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;

namespace Bnb.Tool.Pipeline;

/// <summary>Items taken in order by a few threads, each with buffers of its own.</summary>
internal static class WorkQueue
{
    /// <summary>Returns when every item is done. The first failure stops all threads and is thrown.</summary>
    /// <param name="items">Enumerated lazily, under a lock.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static void Run<TItem, TBuffers>(
        IEnumerable<TItem> items, int workers, Func<TBuffers> createBuffers, Action<TItem, TBuffers> process, CancellationToken cancellation)
    {
        using IEnumerator<TItem> source = items.GetEnumerator();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var turn = new Lock();
        ExceptionDispatchInfo? failure = null;

        Thread[] threads = [.. Enumerable.Range(0, workers).Select(index => new Thread(Work) { Name = $"worker {index}", IsBackground = true })];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        failure?.Throw();
        cancellation.ThrowIfCancellationRequested();

        void Work()
        {
            try
            {
                TBuffers buffers = createBuffers();
                while (TryTake(out TItem? item))
                {
                    stop.Token.ThrowIfCancellationRequested();
                    process(item, buffers);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // Asked to stop; the reason is thrown by Run.
            }
            catch (Exception first)
            {
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(first), null);
                stop.Cancel();
            }
        }

        bool TryTake([NotNullWhen(true)] out TItem? item)
        {
            lock (turn)
            {
                bool more = source.MoveNext();
                item = more ? source.Current : default;
                return more;
            }
        }
    }
}
