using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// The bytes of a pickle from first to last, a piece of the file in memory at a time. Every length is compared with what is
/// left before anything is allocated.
/// </summary>
internal sealed class PickleReader
{
    private const int BufferBytes = 1 << 16;
    private const int LongestLine = 256;

    private readonly IByteSource _source;
    private readonly PickleErrors _errors;
    private readonly long _start;
    private readonly long _end;
    private readonly byte[] _buffer;
    private long _read;
    private int _next;
    private int _count;

    /// <param name="start">The pickle's first byte in the source.</param>
    /// <param name="end">Where it must have ended.</param>
    public PickleReader(IByteSource source, long start, long end, PickleErrors errors)
    {
        _source = source;
        _errors = errors;
        _start = _read = start;
        // A stream of pickles does not say where one ends; none may go on for longer than one may be.
        _end = Math.Min(end, start + FormatLimits.PickleBytes);
        _buffer = new byte[(int)Math.Min(BufferBytes, _end - start)];
    }

    /// <summary>Bytes read so far.</summary>
    public long Position => _read - _start - (_count - _next);

    /// <summary>Bytes that may still come.</summary>
    public long Left => _end - _start - Position;

    public byte Byte()
    {
        if (_next == _count) Fill();
        return _buffer[_next++];
    }

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(stackalloc byte[2]));

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Bytes(stackalloc byte[4]));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(stackalloc byte[4]));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(stackalloc byte[8]));

    /// <summary>Fills a span and returns it.</summary>
    public ReadOnlySpan<byte> Bytes(Span<byte> destination)
    {
        if (destination.Length > Left) throw Ended();
        int done = 0;
        while (done < destination.Length)
        {
            if (_next == _count) Fill();
            int count = Math.Min(destination.Length - done, _count - _next);
            _buffer.AsSpan(_next, count).CopyTo(destination[done..]);
            _next += count;
            done += count;
        }

        return destination;
    }

    /// <summary>A text of so many bytes.</summary>
    /// <exception cref="CheckpointFormatException">It is longer than what is left, or not UTF-8.</exception>
    public string Text(long length)
    {
        long position = Position;
        if (length > Left)
        {
            throw _errors.Malformed(
                position,
                "has a string that is longer than the rest of it",
                ("length", DisplayText.Bytes(length)),
                ("left", DisplayText.Bytes(Left)));
        }

        Span<byte> bytes = length <= 512 ? stackalloc byte[(int)length] : new byte[(int)length];
        return Decode(Bytes(bytes), position);
    }

    /// <summary>A text up to the next line feed.</summary>
    public string Line()
    {
        long position = Position;
        Span<byte> line = stackalloc byte[LongestLine];
        for (int length = 0; length < line.Length; length++)
        {
            line[length] = Byte();
            if (line[length] == (byte)'\n') return Decode(line[..length], position);
        }

        throw _errors.Malformed(position, "has a name that does not end");
    }

    private string Decode(ReadOnlySpan<byte> bytes, long position) => Utf8.IsValid(bytes)
        ? Encoding.UTF8.GetString(bytes)
        : throw _errors.Malformed(position, "has a string that is not UTF-8", ("string", DisplayText.Escape(bytes, 60)));

    private void Fill()
    {
        int count = (int)Math.Min(_buffer.Length, _end - _read);
        if (count <= 0) throw Ended();
        _source.Read(_read, _buffer.AsSpan(0, count));
        _read += count;
        _next = 0;
        _count = count;
    }

    private CheckpointFormatException Ended() => _errors.Malformed(
        _end - _start, "ends before it says that it does; truncated download?", ("limit", DisplayText.Bytes(FormatLimits.PickleBytes)));
}
