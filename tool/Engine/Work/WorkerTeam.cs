using System.Runtime.ExceptionServices;

namespace Bnb.Engine.Work;

/// <summary>Threads that work on one thing: the first failure of any of them stops all, and is what the caller gets to see.</summary>
internal sealed class WorkerTeam(CancellationToken cancellation) : IDisposable
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
    private readonly List<Thread> _threads = [];
    private ExceptionDispatchInfo? _failure;

    /// <summary>Set when the caller cancels or any thread fails.</summary>
    public CancellationToken Stop => _stop.Token;

    public Thread Start(string name, Action body)
    {
        var thread = new Thread(() => Guard(body)) { Name = name, IsBackground = true };
        thread.Start();
        _threads.Add(thread);
        return thread;
    }

    /// <summary>Throws the first failure, or that the caller cancelled. To be called when all threads have ended.</summary>
    /// <exception cref="OperationCanceledException">The caller's token was cancelled.</exception>
    public void ThrowIfStopped()
    {
        _failure?.Throw();
        cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>
    /// Stops and waits for threads that still run: the caller may be on its way out because one could not be started, and what they
    /// work on is disposed of after this.
    /// </summary>
    public void Dispose()
    {
        if (_threads.Any(static thread => thread.IsAlive)) _stop.Cancel();
        foreach (Thread thread in _threads) thread.Join();
        _stop.Dispose();
    }

    private void Guard(Action body)
    {
        try
        {
            body();
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to stop; the reason is reported by whoever asked.
        }
        catch (Exception failure)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(failure), null);
            _stop.Cancel();
        }
    }
}
