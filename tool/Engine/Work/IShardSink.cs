using Bnb.Engine.Plans;

namespace Bnb.Engine.Work;

/// <summary>Receives one output shard: a file in the staging folder, or nothing at all in a dry run.</summary>
internal interface IShardSink : IDisposable
{
    /// <summary>Writes at an offset of the data section. Called from several workers, never for overlapping ranges.</summary>
    void Write(long dataOffset, ReadOnlySpan<byte> bytes);

    /// <summary>Adds header and quant_state blobs and makes the shard durable. Called once, after the last write.</summary>
    /// <param name="states">Blobs in the order of the shard's quant_state outputs.</param>
    /// <returns>The finished shard's length and its tensor bytes.</returns>
    ShardResult Complete(IReadOnlyList<byte[]> states);
}

/// <param name="FileLength">Bytes of the whole file.</param>
/// <param name="TensorBytes">Bytes of its data section.</param>
/// <param name="StateLengths">Bytes of each quant_state blob, in the order of the plan's outputs.</param>
/// <param name="File">The file as it is on disk, null when none was written.</param>
internal sealed record ShardResult(long FileLength, long TensorBytes, IReadOnlyList<int> StateLengths, FileRecord? File = null);

/// <summary>Counts and forgets: what a dry run writes to.</summary>
internal sealed class DiscardSink(ShardPlan plan) : IShardSink
{
    public void Write(long dataOffset, ReadOnlySpan<byte> bytes)
    {
    }

    public ShardResult Complete(IReadOnlyList<byte[]> states)
    {
        long tensorBytes = plan.FixedLength + states.Sum(state => (long)state.Length);
        return new ShardResult(plan.HeaderLength + tensorBytes, tensorBytes, [.. states.Select(state => state.Length)]);
    }

    public void Dispose()
    {
    }
}
