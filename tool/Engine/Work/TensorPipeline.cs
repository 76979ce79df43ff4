using System.Collections.Concurrent;
using Bnb.Engine.Plans;

namespace Bnb.Engine.Work;

/// <summary>
/// Read, compute, write: workers take chunks in plan order and write each result at the place the plan gave it, so the
/// bytes do not depend on who was first. Finished shards are completed (fsync, read back, rename) on a thread of their
/// own while the workers go on.
/// </summary>
internal sealed class TensorPipeline : IDisposable
{
    private const int MostWaiting = 8;
    // Small tensors go to a worker together, so that their writes can be joined; few enough that others get work too.
    private const int MostTogether = 32;
    private const long SmallBytes = 1 << 16, BytesTogether = 1 << 18;

    private readonly PipelineContext _context;
    private readonly Func<TensorPlan, ShardRun, PipelineContext, TensorRun> _newRun;
    private readonly IReadOnlyList<ShardRun> _shards;
    private readonly ShardResult[] _results;
    private readonly WorkQueue<Item> _work;
    // Begun and not finished. A finished one is let go of: there may be a million.
    private readonly HashSet<TensorRun> _running = [];
    private readonly ConcurrentBag<string> _copiedNonFinite = [];
    // Bounded, because each waiting shard holds a descriptor: with thousands of small ones fsync is slower than the workers.
    private readonly BlockingCollection<ShardRun> _finished = new(MostWaiting);
    private readonly WorkerTeam _team;

    private TensorPipeline(
        PipelineContext context, IReadOnlyList<ShardRun> shards, Func<TensorPlan, ShardRun, PipelineContext, TensorRun> newRun, CancellationToken cancellation)
    {
        (_context, _shards, _newRun) = (context, shards, newRun);
        _results = new ShardResult[shards.Count];
        _work = new WorkQueue<Item>(Work());
        _team = new WorkerTeam(cancellation);
    }

    /// <param name="newRun">The work on one tensor, by what its plan says.</param>
    /// <param name="openSink">Where a shard is written.</param>
    /// <returns>One result per shard, and the names of copied tensors that hold NaN or Inf, in ordinal order.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing was completed after that.</exception>
    public static PipelineResult Run(
        PipelineContext context,
        IReadOnlyList<ShardPlan> shards,
        Func<TensorPlan, ShardRun, PipelineContext, TensorRun> newRun,
        Func<ShardPlan, int, IShardSink> openSink,
        CancellationToken cancellation)
    {
        var runs = shards.Select((shard, index) => new ShardRun(shard, index, openSink)).ToList();
        using var pipeline = new TensorPipeline(context, runs, newRun, cancellation);
        pipeline.RunToEnd();
        pipeline._team.ThrowIfStopped();
        return new PipelineResult(pipeline._results, [.. pipeline._copiedNonFinite.Order(StringComparer.Ordinal)]);
    }

    public void Dispose()
    {
        // First of all: no thread may meet what the following takes away.
        _team.Dispose();
        foreach (TensorRun tensor in _running) tensor.Dispose();
        foreach (ShardRun shard in _shards) shard.Abandon();
        _work.Dispose();
        _finished.Dispose();
    }

    private void RunToEnd()
    {
        Thread completer = _team.Start("complete", CompleteShards);
        foreach (ShardRun empty in _shards.Where(shard => shard.Plan.Tensors.Count == 0)) _finished.Add(empty, _team.Stop);
        var workers = Enumerable.Range(0, _context.Budget.Workers).Select(index => _team.Start($"worker {index}", WorkLoop)).ToList();
        foreach (Thread worker in workers) worker.Join();
        _finished.CompleteAdding();
        completer.Join();
    }

    private void WorkLoop()
    {
        var buffers = new WorkerBuffers(_context.Budget);
        while (_work.TryTake(out Item? item))
        {
            bool finished = false;
            if (item.Tensors.Count > 1) buffers.ReadTogether(_context.Source, item.Tensors);
            foreach (TensorRun tensor in item.Tensors)
            {
                _team.Stop.ThrowIfCancellationRequested();
                finished = tensor.Process(item.Chunk, buffers);
                if (finished) tensor.FinishTogether(buffers);
            }

            if (finished) Finished(item.Tensors, buffers);
        }
    }

    private void Finished(IReadOnlyList<TensorRun> tensors, WorkerBuffers buffers)
    {
        // A shard is complete when all of it is written, and not before.
        buffers.Joined.Flush();
        lock (_running) _running.ExceptWith(tensors);
        foreach (TensorRun tensor in tensors)
        {
            if (tensor.CopiedNonFinite) _copiedNonFinite.Add(tensor.Plan.Name);
            if (tensor.Shard.TensorFinished()) _finished.Add(tensor.Shard, _team.Stop);
        }
    }

    private IEnumerable<Item> Work()
    {
        foreach (ShardRun shard in _shards)
        {
            List<TensorRun> small = [];
            long smallBytes = 0;
            foreach (TensorPlan plan in shard.Plan.Tensors)
            {
                TensorRun tensor = _newRun(plan, shard, _context);
                lock (_running) _running.Add(tensor);
                if (tensor.IsWhole && plan.SourceBytes <= SmallBytes)
                {
                    small.Add(tensor);
                    smallBytes += plan.SourceBytes;
                    if (small.Count < MostTogether && smallBytes < BytesTogether) continue;
                    yield return new Item(small, 0);
                    (small, smallBytes) = ([], 0);
                    continue;
                }

                for (long chunk = 0; chunk < tensor.ChunkCount; chunk++) yield return new Item([tensor], chunk);
            }

            if (small.Count > 0) yield return new Item(small, 0);
        }
    }

    private void CompleteShards()
    {
        foreach (ShardRun shard in _finished.GetConsumingEnumerable(_team.Stop))
        {
            if (_context.Writes)
            {
                foreach (var file in shard.Plan.Tensors.SelectMany(tensor => tensor.SourceFiles).Distinct()) InputCheck.ThrowIfChanged(file);
            }

            _results[shard.Index] = shard.Complete();
        }
    }

    /// <summary>A chunk of a tensor, or the only one of several.</summary>
    private sealed record Item(IReadOnlyList<TensorRun> Tensors, long Chunk);
}

/// <param name="Shards">Lengths, in shard order.</param>
/// <param name="CopiedNonFinite">Copied tensors that hold NaN or Inf.</param>
internal sealed record PipelineResult(IReadOnlyList<ShardResult> Shards, IReadOnlyList<string> CopiedNonFinite);
