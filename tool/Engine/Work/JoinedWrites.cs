namespace Bnb.Engine.Work;

/// <summary>
/// Joins short writes of one worker that follow each other in a file: of a small tensor a call to the system costs more than
/// its bytes. Several places of a file grow side by side, since the parts of a tensor lie among parts of their own kind. Not thread-safe.
/// </summary>
internal sealed class JoinedWrites
{
    private const int Places = 4, Capacity = 1 << 15;

    private readonly Place[] _places = [new(), new(), new(), new()];
    private ShardRun? _shard;
    private int _next;

    /// <summary>Writes at an offset of a shard's data section, now or when <see cref="Flush()"/> is called.</summary>
    public void Write(ShardRun shard, long dataOffset, ReadOnlySpan<byte> bytes)
    {
        if (_shard != shard)
        {
            Flush();
            _shard = shard;
        }

        foreach (Place place in _places)
        {
            if (place.Length == 0 || place.End != dataOffset) continue;
            if (bytes.Length > Capacity - place.Length) Flush(place);
            Append(place, dataOffset, bytes);
            return;
        }

        // The one that has waited longest makes room.
        Place taken = _places[_next];
        _next = (_next + 1) % Places;
        Flush(taken);
        Append(taken, dataOffset, bytes);
    }

    /// <summary>Writes what waits.</summary>
    public void Flush()
    {
        foreach (Place place in _places) Flush(place);
        _shard = null;
    }

    private void Append(Place place, long dataOffset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Capacity)
        {
            _shard!.WriteAt(dataOffset, bytes);
            return;
        }

        if (place.Length == 0) place.Begin = dataOffset;
        bytes.CopyTo(place.Bytes.AsSpan(place.Length));
        place.Length += bytes.Length;
    }

    private void Flush(Place place)
    {
        if (place.Length > 0) _shard!.WriteAt(place.Begin, place.Bytes.AsSpan(0, place.Length));
        place.Length = 0;
    }

    private sealed class Place
    {
        public byte[] Bytes { get; } = GC.AllocateUninitializedArray<byte>(Capacity, pinned: true);

        public long Begin { get; set; }

        public int Length { get; set; }

        public long End => Begin + Length;
    }
}
