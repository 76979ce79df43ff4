namespace Bnb.Engine.Work;

/// <summary>One worker's buffers, allocated once and pinned so that nothing moves them during I/O.</summary>
internal sealed class WorkerBuffers(int rawBytes, int gatheredBytes, int codeBytes, int scales)
{
    public WorkerBuffers(MemoryBudget budget)
        : this(
            budget.RawBytes,
            budget.Needs.Gathers ? budget.RawBytes : 0,
            budget.ChunkValues * budget.Needs.CodeBits / 8,
            MemoryBudget.ScalesFor(budget.Needs, budget.ChunkValues))
    {
    }

    /// <summary>Bytes as read from the source.</summary>
    public byte[] Raw { get; } = GC.AllocateUninitializedArray<byte>(rawBytes, pinned: true);

    /// <summary>Transposed values; empty when no tensor of the run is transposed.</summary>
    public byte[] Gathered { get; } = GC.AllocateUninitializedArray<byte>(gatheredBytes, pinned: true);

    public byte[] Codes { get; } = GC.AllocateUninitializedArray<byte>(codeBytes, pinned: true);

    /// <summary>Absmax values, or scales of whatever type at the start of this memory.</summary>
    public float[] Scales { get; } = GC.AllocateUninitializedArray<float>(scales, pinned: true);

    /// <summary>One per scale, for types that have them.</summary>
    public sbyte[] ZeroPoints { get; } = GC.AllocateUninitializedArray<sbyte>(scales, pinned: true);
}
