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

    private const int PieceBytes = 1 << 16;

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
        if (_needsComma) _text.Write(","u8);
        _needsComma = true;
        AddText(name);
        _text.Write(":{\"dtype\":\""u8);
        _text.Write(DTypeNames[(int)dtype]);
        _text.Write("\",\"shape\":["u8);
        for (int i = 0; i < shape.Rank; i++)
        {
            if (i > 0) _text.Write(","u8);
            AddNumber(shape[i]);
        }

        _text.Write("],\"data_offsets\":["u8);
        AddNumber(begin);
        _text.Write(","u8);
        AddNumber(end);
        _text.Write("]}"u8);
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
            AddText(key);
            _text.Write(":"u8);
            AddText(metadata[key]);
            isFirst = false;
        }

        _text.Write("}"u8);
        _needsComma = true;
    }

    private void AddNumber(long value)
    {
        const int MostDigits = 20;
        Utf8Formatter.TryFormat(value, _text.GetSpan(MostDigits), out int written);
        _text.Advance(written);
    }

    private void AddText(ReadOnlySpan<char> text)
    {
        _text.Write("\""u8);
        while (text.Length > 0)
        {
            int plain = 0;
            while (plain < text.Length && text[plain] >= ' ' && text[plain] is not ('"' or '\\')) plain++;
            StrictUtf8.GetBytes(text[..plain], _text);
            if (plain == text.Length) break;
            Encoding.ASCII.GetBytes(Escape(text[plain]), _text);
            text = text[(plain + 1)..];
        }

        _text.Write("\""u8);
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
