namespace Bnb.Tool.Pipeline;

/// <summary>One worker's buffers, allocated once and pinned so that nothing moves them during I/O.</summary>
internal sealed class WorkerBuffers(int rawBytes, int gatheredBytes, int packedBytes, int blocks)
{
    public WorkerBuffers(MemoryBudget budget)
        : this(
            budget.RawBytes,
            budget.Needs.Gathers ? budget.RawBytes : 0,
            budget.ChunkValues / 2,
            budget.ChunkValues / budget.Needs.SmallestBlocksize)
    {
    }

    /// <summary>Bytes as read from the source.</summary>
    public byte[] Raw { get; } = GC.AllocateUninitializedArray<byte>(rawBytes, pinned: true);

    /// <summary>Transposed values; empty when no tensor of the run is transposed.</summary>
    public byte[] Gathered { get; } = GC.AllocateUninitializedArray<byte>(gatheredBytes, pinned: true);

    public byte[] Packed { get; } = GC.AllocateUninitializedArray<byte>(packedBytes, pinned: true);

    public float[] Absmax { get; } = GC.AllocateUninitializedArray<float>(blocks, pinned: true);
}
