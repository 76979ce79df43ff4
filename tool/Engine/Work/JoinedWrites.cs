namespace Bnb.Engine.Work;

/// <summary>
/// Joins short writes of one worker that follow each other in a file: of a small tensor a call to the system costs more than
/// its bytes. Not thread-safe.
/// </summary>
internal sealed class JoinedWrites
{
    private const int Capacity = 1 << 14;

    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(Capacity, pinned: true);
    private ShardRun? _shard;
    private long _offset;
    private int _length;

    /// <summary>Writes at an offset of a shard's data section, now or when <see cref="Flush"/> is called.</summary>
    public void Write(ShardRun shard, long dataOffset, ReadOnlySpan<byte> bytes)
    {
        if (_shard != shard || dataOffset != _offset + _length || bytes.Length > Capacity - _length) Flush();
        if (bytes.Length > Capacity)
        {
            shard.WriteAt(dataOffset, bytes);
            return;
        }

        if (_length == 0) (_shard, _offset) = (shard, dataOffset);
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
    }

    /// <summary>Writes what waits.</summary>
    public void Flush()
    {
        if (_length > 0) _shard!.WriteAt(_offset, _bytes.AsSpan(0, _length));
        (_shard, _length) = (null, 0);
    }
}
