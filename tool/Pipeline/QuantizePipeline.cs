using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Bnb.Tool.Pipeline;

/// <summary>
/// Read, quantize, write: workers take chunks in plan order and write each result at the place the plan gave it, so the
/// bytes do not depend on who was first. Finished shards are completed (fsync, read back, rename) on a thread of their
/// own while the workers go on.
/// </summary>
internal sealed class QuantizePipeline : IDisposable
{
    private const int MostWaiting = 8;

    private readonly PipelineContext _context;
    private readonly IReadOnlyList<ShardRun> _shards;
    private readonly ShardResult[] _results;
    private readonly IEnumerator<(TensorRun Tensor, long Chunk)> _work;
    private readonly Lock _workLock = new();
    private readonly ConcurrentBag<TensorRun> _running = [];
    private readonly ConcurrentBag<string> _copiedNonFinite = [];
    // Bounded, because each waiting shard holds a descriptor: with thousands of small ones fsync is slower than the workers.
    private readonly BlockingCollection<ShardRun> _finished = new(MostWaiting);
    private readonly CancellationTokenSource _stop;
    private ExceptionDispatchInfo? _failure;

    private QuantizePipeline(PipelineContext context, IReadOnlyList<ShardRun> shards, CancellationToken cancellation)
    {
        (_context, _shards) = (context, shards);
        _results = new ShardResult[shards.Count];
        _work = Work().GetEnumerator();
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
    }

    /// <returns>One result per shard, and the names of copied tensors that hold NaN or Inf, in ordinal order.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing was completed after that.</exception>
    public static PipelineResult Run(
        PipelineContext context,
        IReadOnlyList<ShardPlan> shards,
        Func<ShardPlan, int, IShardSink> openSink,
        CancellationToken cancellation)
    {
        var runs = shards.Select((shard, index) => new ShardRun(shard, index, openSink)).ToList();
        using var pipeline = new QuantizePipeline(context, runs, cancellation);
        pipeline.RunToEnd();
        pipeline._failure?.Throw();
        cancellation.ThrowIfCancellationRequested();
        return new PipelineResult(pipeline._results, [.. pipeline._copiedNonFinite.Order(StringComparer.Ordinal)]);
    }

    public void Dispose()
    {
        foreach (TensorRun tensor in _running) tensor.Dispose();
        foreach (ShardRun shard in _shards) shard.Abandon();
        _work.Dispose();
        _finished.Dispose();
        _stop.Dispose();
    }

    private void RunToEnd()
    {
        Thread completer = Start("complete", CompleteShards);
        foreach (ShardRun empty in _shards.Where(shard => shard.Plan.Tensors.Count == 0)) _finished.Add(empty);
        var workers = Enumerable.Range(0, _context.Budget.Workers).Select(index => Start($"worker {index}", WorkLoop)).ToList();
        foreach (Thread worker in workers) worker.Join();
        _finished.CompleteAdding();
        completer.Join();
    }

    private Thread Start(string name, Action body)
    {
        var thread = new Thread(() => Guard(body)) { Name = name, IsBackground = true };
        thread.Start();
        return thread;
    }

    /// <summary>The first failure of any thread stops all of them and is thrown by <see cref="Run"/>.</summary>
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

    private void WorkLoop()
    {
        var buffers = new WorkerBuffers(_context.Budget, _context.Recipe.Blocksize);
        while (TryTake(out TensorRun? tensor, out long chunk))
        {
            _stop.Token.ThrowIfCancellationRequested();
            if (!tensor.Process(chunk, buffers)) continue;
            tensor.Finish(buffers);
            if (tensor.CopiedNonFinite) _copiedNonFinite.Add(tensor.Plan.Source.Name);
            if (tensor.Shard.TensorFinished()) _finished.Add(tensor.Shard, _stop.Token);
        }
    }

    private bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TensorRun? tensor, out long chunk)
    {
        lock (_workLock)
        {
            bool more = _work.MoveNext();
            (tensor, chunk) = more ? _work.Current : (null, 0);
            return more;
        }
    }

    private IEnumerable<(TensorRun Tensor, long Chunk)> Work()
    {
        foreach (ShardRun shard in _shards)
        {
            foreach (TensorPlan plan in shard.Plan.Tensors)
            {
                var tensor = new TensorRun(plan, shard, _context);
                _running.Add(tensor);
                for (long chunk = 0; chunk < tensor.ChunkCount; chunk++) yield return (tensor, chunk);
            }
        }
    }

    private void CompleteShards()
    {
        foreach (ShardRun shard in _finished.GetConsumingEnumerable(_stop.Token))
        {
            if (_context.Writes)
            {
                foreach (var file in shard.Plan.Tensors.Select(tensor => tensor.Source.File).Distinct()) InputCheck.ThrowIfChanged(file);
            }

            _results[shard.Index] = shard.Complete();
        }
    }
}

/// <param name="Shards">Lengths, in shard order.</param>
/// <param name="CopiedNonFinite">Copied tensors that hold NaN or Inf.</param>
internal sealed record PipelineResult(IReadOnlyList<ShardResult> Shards, IReadOnlyList<string> CopiedNonFinite);
