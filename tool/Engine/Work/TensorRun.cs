using Bnb.Engine.Plans;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Work;

/// <summary>
/// The work on one tensor, in chunks that any worker may take. The worker that finishes the last chunk finishes the
/// tensor, with what needs all chunks.
/// </summary>
internal abstract class TensorRun : IDisposable
{
    private readonly Lock _lock = new();
    private long _chunksLeft;
    private bool _begun;
    private JoinedWrites? _joined;
    private long[]? _offsets;

    protected TensorRun(TensorPlan plan, ShardRun shard, PipelineContext context, long units, int unitsPerChunk)
    {
        (Plan, Shard, Context) = (plan, shard, context);
        // At least one chunk, so that an empty tensor too is finished by some worker.
        _chunksLeft = ChunkCount = Math.Max(1, DivideUp(units, unitsPerChunk));
    }

    public TensorPlan Plan { get; }

    public ShardRun Shard { get; }

    public long ChunkCount { get; }

    /// <summary>True when a copied tensor holds NaN or Inf; reported, never changed.</summary>
    public bool CopiedNonFinite { get; protected set; }

    protected PipelineContext Context { get; }

    /// <summary>The whole source tensor, null unless it was asked for and memory was lent.</summary>
    protected byte[]? Preloaded { get; private set; }

    /// <summary>Whether one worker does all of it, so that what it writes may wait for what the next tensor's worker, the same, writes.</summary>
    public bool IsWhole => ChunkCount == 1;

    /// <summary>Processes chunk <paramref name="chunk"/>; true when it was the last one to be finished.</summary>
    public bool Process(long chunk, WorkerBuffers buffers)
    {
        if (IsWhole) _joined = buffers.Joined;
        BeginOnce();
        ProcessChunk(chunk, buffers);
        return Interlocked.Decrement(ref _chunksLeft) == 0;
    }

    /// <summary>Called once, after the last chunk.</summary>
    public void Finish(WorkerBuffers buffers)
    {
        FinishTogether(buffers);
        buffers.Joined.Flush();
    }

    /// <summary>The same of one whose last writes may wait in <see cref="WorkerBuffers.Joined"/> for those of its neighbours.</summary>
    public void FinishTogether(WorkerBuffers buffers)
    {
        FinishTensor(buffers);
        _joined = null;
        Dispose();
        foreach (CheckpointFile file in Plan.SourceFiles) Context.Source.Release(file);
    }

    public virtual void Dispose()
    {
        if (Plan.Input is { } input) Context.Source.Close(input, Context.Budget.Release);
        if (Preloaded is not null) Context.Budget.Release(Preloaded.Length);
        Preloaded = null;
    }

    protected static long DivideUp(long value, long by) => (value + by - 1) / by;

    /// <summary>What must exist before any chunk.</summary>
    protected virtual void Begin()
    {
    }

    /// <summary>Writes at an offset within one part of the tensor's output.</summary>
    protected void Write(OutputRole role, long offset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return;
        _offsets ??= Shard.OffsetsOf(Plan);
        long at = _offsets[(int)role] + offset;
        if (_joined is { } joined) joined.Write(Shard, at, bytes);
        else Shard.WriteAt(at, bytes);
    }

    protected abstract void ProcessChunk(long chunk, WorkerBuffers buffers);

    protected virtual void FinishTensor(WorkerBuffers buffers)
    {
    }

    /// <summary>Reads the whole source tensor when memory is lent for it; it stays until <see cref="Dispose"/>.</summary>
    protected void Preload()
    {
        // Other inputs hold what they need themselves.
        if (Plan.Input is not null) return;
        CheckpointTensor tensor = Plan.Source;
        if (tensor.ByteCount > Array.MaxLength || !Context.Budget.TryReserve(tensor.ByteCount)) return;
        Preloaded = GC.AllocateUninitializedArray<byte>((int)tensor.ByteCount);
        Context.Source.ReadBytes(tensor, 0, Preloaded);
    }

    /// <summary>Done by the first worker here, the others wait.</summary>
    private void BeginOnce()
    {
        if (Volatile.Read(ref _begun)) return;
        lock (_lock)
        {
            if (_begun) return;
            Context.Progress.Current = Plan.Name;
            if (Plan.Input is { } input) Context.Source.ReaderOf(input).Begin(Context.Budget.TryReserve);
            Begin();
            Volatile.Write(ref _begun, true);
        }
    }
}
