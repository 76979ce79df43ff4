using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>
/// The JSON side of a header: text to tensor descriptions, each of which is complete and well typed but not yet compared
/// with the others. Allocates in proportion to the text, never to a number in it.
/// </summary>
internal ref struct HeaderJson
{
    private readonly HeaderErrors _errors;
    private readonly List<TensorInfo> _tensors = [];
    private readonly HashSet<string> _names;
    // Thousands of experts have a handful of shapes: the last one seen at each place is kept.
    private readonly TensorShape?[] _shapes = new TensorShape?[64];
    private Dictionary<string, string>? _metadata;
    private Utf8JsonReader _reader;

    private HeaderJson(ReadOnlySpan<byte> json, HeaderErrors errors)
    {
        const int UsualEntry = 160;
        _errors = errors;
        _names = new HashSet<string>(json.Length / UsualEntry, StringComparer.Ordinal);
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = FormatLimits.HeaderDepth });
    }

    /// <summary>Reads a header's JSON.</summary>
    public static (List<TensorInfo> Tensors, Dictionary<string, string> Metadata) Read(
        ReadOnlySpan<byte> json, HeaderErrors errors)
    {
        errors.ThrowIfNotUtf8(json);
        HeaderJson header = new(json, errors);
        try
        {
            header.ReadTop();
        }
        catch (JsonException error)
        {
            throw errors.Json(error);
        }
        catch (InvalidOperationException error)
        {
            // The reader passes over an escaped lone surrogate and only refuses to make a string of it.
            throw errors.Json(new JsonException("text with an unpaired surrogate escape", null, null, null, error));
        }

        return (header._tensors, header._metadata ?? []);
    }

    private void ReadTop()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject)
            throw _errors.Of(
                FormatError.SafetensorsNotJson, "the header is not a JSON object", ("found", _reader.TokenType.ToString()));

        while (NextMember())
        {
            string name = _reader.GetString()!;
            if (!_names.Add(name)) throw Duplicate(name, "in the header");
            _reader.Read();
            if (name == "__metadata__") ReadMetadata();
            else ReadTensor(name);
        }

        // Reads past trailing white space and throws at anything else.
        _reader.Read();
    }

    private void ReadMetadata()
    {
        if (_reader.TokenType == JsonTokenType.Null) return;
        if (_reader.TokenType != JsonTokenType.StartObject) throw BadMetadata("__metadata__");
        _metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        while (NextMember())
        {
            string key = _reader.GetString()!;
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.String) throw BadMetadata(key);
            if (!_metadata.TryAdd(key, _reader.GetString()!)) throw Duplicate(key, "in __metadata__");
        }
    }

    private void ReadTensor(string name)
    {
        if (_reader.TokenType != JsonTokenType.StartObject)
            throw _errors.Of(
                FormatError.SafetensorsSchema, name, "the entry is not an object", ("found", _reader.TokenType.ToString()));

        DType? dtype = null;
        TensorShape? shape = null;
        (long Begin, long End)? range = null;
        while (NextMember())
        {
            if (_reader.ValueTextEquals("dtype"u8))
            {
                if (dtype is not null) throw Duplicate("dtype", name);
                dtype = ReadDType(name);
            }
            else if (_reader.ValueTextEquals("shape"u8))
            {
                if (shape is not null) throw Duplicate("shape", name);
                shape = ReadShape(name);
            }
            else if (_reader.ValueTextEquals("data_offsets"u8))
            {
                if (range is not null) throw Duplicate("data_offsets", name);
                range = ReadOffsets(name);
            }
            else
            {
                // Members of a later version: the reference ignores them as well.
                _reader.Skip();
            }
        }

        if (dtype is null) throw Lacks(name, "dtype");
        if (shape is null) throw Lacks(name, "shape");
        if (range is null) throw Lacks(name, "data_offsets");
        _tensors.Add(new TensorInfo(name, dtype.Value, shape, range.Value.Begin, range.Value.End));
    }

    private DType ReadDType(string name)
    {
        _reader.Read();
        string found = _reader.TokenType.ToString();
        if (_reader.TokenType == JsonTokenType.String)
        {
            if (!_reader.ValueIsEscaped && DTypes.TryParse(_reader.ValueSpan, out DType plain)) return plain;
            string text = _reader.GetString()!;
            if (DTypes.TryParse(Encoding.UTF8.GetBytes(text), out DType escaped)) return escaped;
            found = DisplayText.Escape(text);
        }

        string known = string.Join(" ", DTypes.All.Select(d => d.Name()));
        throw _errors.Of(FormatError.SafetensorsDType, name, "unknown dtype", ("found", found), ("known", known));
    }

    private TensorShape ReadShape(string name)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray) throw BadShape(name);
        Span<long> dimensions = stackalloc long[16];
        List<long>? more = null;
        int rank = 0;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (!TryReadLength(out long dimension)) throw BadShape(name);
            if (rank == FormatLimits.Rank) throw _errors.Of(FormatError.SafetensorsShape, name, $"more than {rank} dimensions");
            if (rank < dimensions.Length) dimensions[rank] = dimension;
            else (more ??= [.. dimensions]).Add(dimension);
            rank++;
        }

        int place = (int)(unchecked((ulong)((dimensions[0] * 31) + dimensions[1])) % (ulong)_shapes.Length);
        if (rank is 1 or 2 && _shapes[place] is { } known && known.Is(dimensions[..rank])) return known;
        TensorShape shape = TensorShape.TryOf(more is null ? dimensions[..rank] : more.ToArray())
            ?? throw _errors.Of(FormatError.SafetensorsOverflow, name, "the element count of its shape does not fit 63 bits");
        if (rank is 1 or 2) _shapes[place] = shape;
        return shape;
    }

    private (long Begin, long End) ReadOffsets(string name)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray) throw BadOffsets(name);
        _reader.Read();
        if (!TryReadLength(out long begin)) throw BadOffsets(name);
        _reader.Read();
        if (!TryReadLength(out long end)) throw BadOffsets(name);
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.EndArray) throw BadOffsets(name);
        if (end >= begin) return (begin, end);
        throw _errors.Of(
            FormatError.SafetensorsOffsets,
            name,
            "data_offsets end before they begin",
            ("found", string.Create(CultureInfo.InvariantCulture, $"[{begin}, {end}]")));
    }

    /// <summary>A plain run of digits up to 2^63-1. GetInt64 would also take <c>-0</c>.</summary>
    private readonly bool TryReadLength(out long value)
    {
        value = 0;
        ReadOnlySpan<byte> text = _reader.ValueSpan;
        return _reader.TokenType == JsonTokenType.Number
            && !text.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            && Utf8Parser.TryParse(text, out value, out int used)
            && used == text.Length;
    }

    /// <summary>Moves to the next member's name, or to the end of the object.</summary>
    private bool NextMember() => _reader.Read() && _reader.TokenType != JsonTokenType.EndObject;

    private readonly CheckpointFormatException Duplicate(string key, string where) => _errors.Of(
        FormatError.SafetensorsDuplicateKey,
        "a key is given twice",
        ("key", DisplayText.Escape(key)),
        ("in", DisplayText.Escape(where)));

    private readonly CheckpointFormatException Lacks(string tensor, string member) =>
        _errors.Of(FormatError.SafetensorsSchema, tensor, $"{member} is missing");

    private readonly CheckpointFormatException BadMetadata(string key) => _errors.Of(
        FormatError.SafetensorsMetadata,
        "__metadata__ values must be strings",
        ("key", DisplayText.Escape(key)),
        ("found", _reader.TokenType.ToString()));

    private readonly CheckpointFormatException BadShape(string tensor) => _errors.Of(
        FormatError.SafetensorsShape, tensor, "shape is not a list of whole numbers from 0 to 2^63-1", ("found", FoundText()));

    private readonly CheckpointFormatException BadOffsets(string tensor) => _errors.Of(
        FormatError.SafetensorsOffsets,
        tensor,
        "data_offsets are not two whole numbers from 0 to 2^63-1",
        ("found", FoundText()));

    private readonly string FoundText() => _reader.TokenType is JsonTokenType.Number or JsonTokenType.String
        ? DisplayText.Escape(_reader.ValueSpan, 40)
        : _reader.TokenType.ToString();
}
