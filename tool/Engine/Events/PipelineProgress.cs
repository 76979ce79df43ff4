namespace Bnb.Engine.Events;

/// <summary>What a running pipeline tells whoever watches: plain counters, written by workers and polled by the display.</summary>
/// <param name="bytesTotal">Source bytes that will be read.</param>
public sealed class PipelineProgress(long bytesTotal)
{
    private long _bytesDone;
    private volatile string _current = "";
    private long _tensorsBegun;

    /// <summary>Source bytes to read.</summary>
    public long BytesTotal { get; } = bytesTotal;

    /// <summary>Source bytes read so far.</summary>
    public long BytesDone => Interlocked.Read(ref _bytesDone);

    /// <summary>Name of the tensor begun last.</summary>
    public string Current
    {
        get => _current;
        set
        {
            _current = value;
            Interlocked.Increment(ref _tensorsBegun);
        }
    }

    /// <summary>How many tensors were begun so far.</summary>
    public long TensorsBegun => Interlocked.Read(ref _tensorsBegun);

    /// <summary>Counts bytes as read.</summary>
    public void Add(long bytes) => Interlocked.Add(ref _bytesDone, bytes);
}
