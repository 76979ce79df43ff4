using Bnb.Engine.Plans;

namespace Bnb.Engine.Work;

/// <summary>One worker's buffers, allocated once and pinned so that nothing moves them during I/O.</summary>
internal sealed class WorkerBuffers(int rawBytes, int gatheredBytes, int codeBytes, int scales)
{
    private JoinedWrites? _joined;

    public WorkerBuffers(MemoryBudget budget)
        : this(
            budget.RawBytes,
            budget.Needs.Gathers ? budget.RawBytes : 0,
            budget.ChunkValues * budget.Needs.CodeBits / 8,
            MemoryBudget.ScalesFor(budget.Needs, budget.ChunkValues))
    {
        if (budget.Needs.Input is { } shape) Input = ForInput(shape, budget.ChunkValues);
    }

    /// <summary>Buffers of their own for the forms that a source is decoded from; null when nothing is.</summary>
    public WorkerBuffers? Input { get; init; }

    /// <summary>Where short writes wait for each other; a hundred kilobytes, which no ceiling counts.</summary>
    public JoinedWrites Joined => _joined ??= new JoinedWrites();

    /// <summary>Small tensors that were read at once; null where none were. Some hundred kilobytes, which no ceiling counts.</summary>
    public JoinedReads? Near { get; private set; }

    /// <summary>Bytes as read from the source.</summary>
    public byte[] Raw { get; } = GC.AllocateUninitializedArray<byte>(rawBytes, pinned: true);

    /// <summary>Transposed values; empty when no tensor of the run is transposed.</summary>
    public byte[] Gathered { get; } = GC.AllocateUninitializedArray<byte>(gatheredBytes, pinned: true);

    public byte[] Codes { get; } = GC.AllocateUninitializedArray<byte>(codeBytes, pinned: true);

    /// <summary>Absmax values, or scales of whatever type at the start of this memory.</summary>
    public float[] Scales { get; } = GC.AllocateUninitializedArray<float>(scales, pinned: true);

    /// <summary>One per scale, for types that have them.</summary>
    public sbyte[] ZeroPoints { get; } = GC.AllocateUninitializedArray<sbyte>(scales, pinned: true);

    /// <summary>Reads tensors that will be asked for one after the other.</summary>
    public void ReadTogether(TensorSource source, IReadOnlyList<TensorRun> tensors) => (Near ??= new JoinedReads()).Read(source, tensors);

    /// <summary>What decoding takes: a piece may have to begin earlier than the values that are wanted.</summary>
    public static WorkerBuffers ForInput(BufferShape shape, int values)
    {
        int most = values + shape.ChunkMultiple;
        return new WorkerBuffers(most * sizeof(float), 0, (most * shape.CodeBits / 8) + 1, ScalesOf(shape, most));
    }

    /// <summary>Bytes that <see cref="ForInput"/> allocates.</summary>
    public static long InputBytes(BufferShape shape, int values)
    {
        long most = values + shape.ChunkMultiple;
        return (most * sizeof(float)) + (most * shape.CodeBits / 8) + 1 + ((long)ScalesOf(shape, (int)most) * (sizeof(float) + sizeof(sbyte)));
    }

    // A run of values may begin and end in the middle of a row and of a scale's values.
    private static int ScalesOf(BufferShape shape, int values) => (int)(values / shape.ValuesPerScale) + 6;
}
