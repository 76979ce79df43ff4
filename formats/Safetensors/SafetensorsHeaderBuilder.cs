using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>
/// Writes a header entry by entry, with nothing kept or allocated for one: for files of very many tensors. It does not see
/// whether names repeat, nor whether the tensors tile the data; <see cref="SafetensorsHeaderWriter.Write"/> does.
/// </summary>
public sealed class SafetensorsHeaderBuilder
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private static readonly byte[][] DTypeNames = [.. DTypes.All.Select(dtype => Encoding.ASCII.GetBytes(dtype.Name()))];

    private static readonly SearchValues<char> Escaped = SearchValues.Create(
        "\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\u0009\u000a\u000b\u000c\u000d\u000e\u000f" +
        "\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f\"\\");

    private const int PieceBytes = 1 << 16;
    private const int MostDigits = 21; // with a comma
    private const int OtherBytes = 128;

    private readonly ArrayBufferWriter<byte> _text;
    // Takes what is written, once in a while; the bytes before are counted only.
    private readonly Action<ReadOnlyMemory<byte>>? _take;
    private readonly int _pieceBytes;
    private readonly long _promised;
    private long _taken;
    private bool _needsComma;

    private SafetensorsHeaderBuilder(
        IReadOnlyDictionary<string, string>? metadata, int capacity, Action<ReadOnlyMemory<byte>>? take = null, int pieceBytes = 0, long promised = 8)
    {
        (_text, _take, _pieceBytes, _promised) = (new ArrayBufferWriter<byte>(capacity), take, pieceBytes, promised);
        BinaryPrimitives.WriteInt64LittleEndian(_text.GetSpan(8), promised - 8);
        _text.Advance(8);
        _text.Write("{"u8);
        if (metadata is not null) AddMetadata(metadata);
    }

    /// <summary>A header that will be written.</summary>
    /// <param name="metadata">The <c>__metadata__</c> map, or null for none.</param>
    /// <param name="capacity">About the length that is expected.</param>
    public static SafetensorsHeaderBuilder Of(IReadOnlyDictionary<string, string>? metadata, int capacity = 1024) => new(metadata, capacity);

    /// <summary>One that is only to say how long it would be.</summary>
    /// <param name="metadata">The <c>__metadata__</c> map, or null for none.</param>
    public static SafetensorsHeaderBuilder ToMeasure(IReadOnlyDictionary<string, string>? metadata) => new(metadata, 1024, static _ => { });

    /// <summary>One of a length that was measured before, handed on piece by piece, so that it is never in memory as a whole.</summary>
    /// <param name="metadata">The <c>__metadata__</c> map, or null for none.</param>
    /// <param name="length">Bytes before the data section, as <see cref="Length"/> says them; what the text does not need is padded.</param>
    /// <param name="take">Takes the next bytes of the file, which are used again after the call.</param>
    /// <exception cref="ArgumentException">The length is over the limit of the format, or no multiple of 8.</exception>
    public static SafetensorsHeaderBuilder InPieces(IReadOnlyDictionary<string, string>? metadata, int length, Action<ReadOnlyMemory<byte>> take)
    {
        ArgumentNullException.ThrowIfNull(take);
        if (length - 8 > FormatLimits.HeaderBytes || length % 8 != 0) throw new ArgumentException("no length of a header", nameof(length));
        return new(metadata, PieceBytes, take, PieceBytes, length);
    }

    /// <summary>Bytes before the data section: the 8-byte length and the text, padded to a multiple of 8.</summary>
    public long Length => Padded(_taken + _text.WrittenCount + 1);

    /// <summary>Adds a tensor.</summary>
    /// <param name="name">Its key; written as UTF-8, with quotes, backslashes and control characters escaped.</param>
    /// <param name="dtype">How its elements are stored.</param>
    /// <param name="shape">Its dimensions.</param>
    /// <param name="begin">Its first byte in the data section.</param>
    /// <param name="end">The byte after its last.</param>
    /// <exception cref="ArgumentException">The name is not valid UTF-16.</exception>
    public void Add(ReadOnlySpan<char> name, DType dtype, TensorShape shape, long begin, long end)
    {
        ArgumentNullException.ThrowIfNull(shape);
        AddText(_needsComma ? ",\""u8 : "\""u8, name);
        _needsComma = true;
        // One room for all that follows: asking for each piece would cost more than writing it.
        Span<byte> room = _text.GetSpan(OtherBytes + shape.Rank * MostDigits);
        int used = 0;
        Put(room, ref used, "\":{\"dtype\":\""u8);
        Put(room, ref used, DTypeNames[(int)dtype]);
        Put(room, ref used, "\",\"shape\":["u8);
        for (int i = 0; i < shape.Rank; i++)
        {
            if (i > 0) room[used++] = (byte)',';
            Put(room, ref used, shape[i]);
        }

        Put(room, ref used, "],\"data_offsets\":["u8);
        Put(room, ref used, begin);
        room[used++] = (byte)',';
        Put(room, ref used, end);
        Put(room, ref used, "]}"u8);
        _text.Advance(used);
        if (_take is not null && _text.WrittenCount >= _pieceBytes) Take();
    }

    /// <summary>Hands on the last piece, padded with spaces.</summary>
    /// <exception cref="InvalidOperationException">The header is longer than the length that was given, or was not to be handed on.</exception>
    public void Complete()
    {
        if (_take is null || _pieceBytes == 0) throw new InvalidOperationException("this header is not written in pieces");
        _text.Write("}"u8);
        long padding = _promised - _taken - _text.WrittenCount;
        if (padding < 0) throw new InvalidOperationException($"the header is {-padding} bytes longer than was said");
        for (; padding > 0; padding -= Math.Min(padding, PieceBytes))
        {
            int part = (int)Math.Min(padding, PieceBytes);
            _text.GetSpan(part)[..part].Fill((byte)' ');
            _text.Advance(part);
            Take();
        }

        if (_text.WrittenCount > 0) Take();
    }

    /// <summary>The header's bytes, padded with spaces.</summary>
    /// <param name="minimumLength">Least length of the result.</param>
    /// <exception cref="InvalidOperationException">It was made to be measured or handed on.</exception>
    /// <exception cref="ArgumentException">The header is over <see cref="FormatLimits.HeaderBytes"/>.</exception>
    public byte[] ToBytes(int minimumLength = 0)
    {
        if (_take is not null) throw new InvalidOperationException("this header was only measured, or handed on");
        int length = (int)Padded(Math.Max((long)_text.WrittenCount + 1, minimumLength));
        if (length - 8 > FormatLimits.HeaderBytes) throw new ArgumentException("the header is over the limit of the format", nameof(minimumLength));
        byte[] bytes = GC.AllocateUninitializedArray<byte>(length);
        _text.WrittenSpan.CopyTo(bytes);
        bytes[_text.WrittenCount] = (byte)'}';
        bytes.AsSpan(_text.WrittenCount + 1).Fill((byte)' ');
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)length - 8);
        return bytes;
    }

    private void Take()
    {
        _take!(_text.WrittenMemory);
        _taken += _text.WrittenCount;
        _text.ResetWrittenCount();
    }

    private static long Padded(long length) => (length + 7) / 8 * 8;

    private void AddMetadata(IReadOnlyDictionary<string, string> metadata)
    {
        _text.Write("\"__metadata__\":{"u8);
        bool isFirst = true;
        foreach (string key in metadata.Keys.Order(StringComparer.Ordinal))
        {
            if (!isFirst) _text.Write(","u8);
            AddQuoted(key);
            _text.Write(":"u8);
            AddQuoted(metadata[key]);
            isFirst = false;
        }

        _text.Write("}"u8);
        _needsComma = true;
    }

    private static void Put(Span<byte> room, ref int used, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(room[used..]);
        used += bytes.Length;
    }

    private static void Put(Span<byte> room, ref int used, long value)
    {
        Utf8Formatter.TryFormat(value, room[used..], out int written);
        used += written;
    }

    private void AddQuoted(string text)
    {
        AddText("\""u8, text);
        _text.Write("\""u8);
    }

    /// <summary>Adds what a text begins with, and its characters without the closing quote.</summary>
    private void AddText(ReadOnlySpan<byte> opening, ReadOnlySpan<char> text)
    {
        _text.Write(opening);
        while (true)
        {
            int plain = text.IndexOfAny(Escaped);
            ReadOnlySpan<char> unescaped = plain < 0 ? text : text[..plain];
            Span<byte> room = _text.GetSpan(Math.Max(1, unescaped.Length));
            // Names are ASCII, nearly all of them.
            if (Ascii.FromUtf16(unescaped, room, out int written) == OperationStatus.Done) _text.Advance(written);
            else StrictUtf8.GetBytes(unescaped, _text);
            if (plain < 0) return;
            Encoding.ASCII.GetBytes(Escape(text[plain]), _text);
            text = text[(plain + 1)..];
        }
    }

    private static string Escape(char c) => c switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
    };
}
