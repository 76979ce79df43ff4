namespace Bnb.Tool.Pipeline;

/// <summary>One worker's buffers, allocated once and pinned so that nothing moves them during I/O.</summary>
internal sealed class WorkerBuffers(MemoryBudget budget)
{
    /// <summary>Bytes as read from the source.</summary>
    public byte[] Raw { get; } = GC.AllocateUninitializedArray<byte>(budget.RawBytes, pinned: true);

    /// <summary>Transposed values; empty when no tensor of the run is transposed.</summary>
    public byte[] Gathered { get; } = GC.AllocateUninitializedArray<byte>(budget.Needs.Gathers ? budget.RawBytes : 0, pinned: true);

    public byte[] Packed { get; } = GC.AllocateUninitializedArray<byte>(budget.ChunkValues / 2, pinned: true);

    public float[] Absmax { get; } = GC.AllocateUninitializedArray<float>(budget.ChunkValues / budget.Needs.SmallestBlocksize, pinned: true);
}
