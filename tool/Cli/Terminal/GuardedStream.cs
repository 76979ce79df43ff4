namespace Bnb.Cli.Terminal;

/// <summary>
/// A standard stream that may be full or closed. Lost results are an error of their own, told apart from a full output
/// disk; lost talk is not worth failing for, and must not end the process from the thread that shows progress.
/// </summary>
/// <param name="mayLose">True for stderr: what cannot be written is dropped.</param>
internal sealed class GuardedStream(Stream inner, bool mayLose) : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            inner.Write(buffer);
        }
        catch (Exception lost) when (lost is IOException or UnauthorizedAccessException)
        {
            if (!mayLose) throw new OutputLostException(lost);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    // The system's streams do not buffer.
    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}

/// <summary>stdout did not take the results.</summary>
internal sealed class OutputLostException(Exception cause) : IOException($"the results could not be printed: {cause.Message}", cause);
