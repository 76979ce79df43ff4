using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Bnb.Tool.Pipeline;

/// <summary>
/// Read, compute, write: workers take chunks in plan order and write each result at the place the plan gave it, so the
/// bytes do not depend on who was first. Finished shards are completed (fsync, read back, rename) on a thread of their
/// own while the workers go on.
/// </summary>
internal sealed class TensorPipeline : IDisposable
{
    private const int MostWaiting = 8;

    private readonly PipelineContext _context;
    private readonly IReadOnlyList<ShardRun> _shards;
    private readonly ShardResult[] _results;
    private readonly ConcurrentBag<TensorRun> _running = [];
    private readonly ConcurrentBag<string> _copiedNonFinite = [];
    // Bounded, because each waiting shard holds a descriptor: with thousands of small ones fsync is slower than the workers.
    private readonly BlockingCollection<ShardRun> _finished = new(MostWaiting);
    private readonly CancellationTokenSource _stop;
    private ExceptionDispatchInfo? _completionFailure;

    private TensorPipeline(PipelineContext context, IReadOnlyList<ShardRun> shards, CancellationToken cancellation)
    {
        (_context, _shards) = (context, shards);
        _results = new ShardResult[shards.Count];
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
        using var pipeline = new TensorPipeline(context, runs, cancellation);
        pipeline.RunToEnd(cancellation);
        return new PipelineResult(pipeline._results, [.. pipeline._copiedNonFinite.Order(StringComparer.Ordinal)]);
    }

    public void Dispose()
    {
        foreach (TensorRun tensor in _running) tensor.Dispose();
        foreach (ShardRun shard in _shards) shard.Abandon();
        _finished.Dispose();
        _stop.Dispose();
    }

    private void RunToEnd(CancellationToken cancellation)
    {
        var completer = new Thread(CompleteShards) { Name = "complete", IsBackground = true };
        completer.Start();
        try
        {
            foreach (ShardRun empty in _shards.Where(shard => shard.Plan.Tensors.Count == 0)) _finished.Add(empty, CancellationToken.None);
            WorkQueue.Run(Work(), _context.Budget.Workers, () => new WorkerBuffers(_context.Budget), Process, _stop.Token);
        }
        catch (OperationCanceledException) when (_completionFailure is not null)
        {
            // The workers were stopped by a shard that could not be completed: that is the failure to report.
        }
        catch
        {
            _stop.Cancel();
            throw;
        }
        finally
        {
            _finished.CompleteAdding();
            completer.Join();
        }

        _completionFailure?.Throw();
        cancellation.ThrowIfCancellationRequested();
    }

    private void Process((TensorRun Tensor, long Chunk) work, WorkerBuffers buffers)
    {
        if (!work.Tensor.Process(work.Chunk, buffers)) return;
        work.Tensor.Finish(buffers);
        if (work.Tensor.CopiedNonFinite) _copiedNonFinite.Add(work.Tensor.Plan.Source.Name);
        if (work.Tensor.Shard.TensorFinished()) _finished.Add(work.Tensor.Shard, _stop.Token);
    }

    private IEnumerable<(TensorRun Tensor, long Chunk)> Work()
    {
        foreach (ShardRun shard in _shards)
        {
            foreach (TensorPlan plan in shard.Plan.Tensors)
            {
                TensorRun tensor = TensorRun.Create(plan, shard, _context);
                _running.Add(tensor);
                for (long chunk = 0; chunk < tensor.ChunkCount; chunk++) yield return (tensor, chunk);
            }
        }
    }

    private void CompleteShards()
    {
        try
        {
            foreach (ShardRun shard in _finished.GetConsumingEnumerable(_stop.Token))
            {
                if (_context.Writes)
                {
                    foreach (var file in shard.Plan.Tensors.SelectMany(tensor => tensor.SourceFiles).Distinct()) InputCheck.ThrowIfChanged(file);
                }

                _results[shard.Index] = shard.Complete();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Asked to stop; whoever asked reports why.
        }
        catch (Exception failure)
        {
            _completionFailure = ExceptionDispatchInfo.Capture(failure);
            _stop.Cancel();
        }
    }
}

/// <param name="Shards">Lengths, in shard order.</param>
/// <param name="CopiedNonFinite">Copied tensors that hold NaN or Inf.</param>
internal sealed record PipelineResult(IReadOnlyList<ShardResult> Shards, IReadOnlyList<string> CopiedNonFinite);
