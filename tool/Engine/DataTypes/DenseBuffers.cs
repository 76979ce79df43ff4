using Bnb.Engine.Work;

namespace Bnb.Engine.DataTypes;

/// <summary>What one worker needs for one <see cref="DenseReader"/>: a chunk as stored and as float32.</summary>
internal sealed class DenseBuffers(MemoryBudget budget)
{
    /// <summary>Stored bytes, gathered values, codes and absmax.</summary>
    public WorkerBuffers Stored { get; } = new(budget);

    public float[] Values { get; } = GC.AllocateUninitializedArray<float>(budget.ChunkValues, pinned: true);
}
