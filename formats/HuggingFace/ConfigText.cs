using System.Text;
using System.Text.Json;
using Bnb.Formats.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.HuggingFace;

/// <summary>
/// Where a member goes in the text of config.json. The text itself is edited, because every JSON writer would change numbers,
/// escapes or white space that are not ours.
/// </summary>
internal sealed class ConfigText
{
    private readonly byte[] _text;
    private readonly string _wanted;
    private int _objectStart = -1;
    private int _objectEnd = -1;
    private int _firstName = -1;
    private int _firstNameEnd;
    private int _firstValue;
    private int _lastValueEnd = -1;
    private int _secondName = -1;
    private int _firstValueEnd;
    private (int Start, int Length)? _nullValue;
    private (int Name, int ValueEnd, int PreviousValueEnd)? _member;
    private int _memberNext = -1;

    private ConfigText(byte[] text, byte[] readable, string wanted)
    {
        _text = text;
        _wanted = wanted;
        Scan(readable);
    }

    /// <summary>
    /// The text with one member added after the last one, or put in place of a null. Everything else stays byte for byte.
    /// </summary>
    /// <param name="text">The original bytes of an object.</param>
    /// <param name="readable">The same with Python's bare words replaced; same positions.</param>
    /// <param name="name">The member's name.</param>
    /// <param name="valueIn">The member's value, as JSON in the layout of the text.</param>
    public static byte[] Insert(byte[] text, byte[] readable, string name, Func<JsonLayout, string> valueIn)
    {
        ConfigText place = new(text, readable, name);
        JsonLayout layout = place.Layout();
        string value = valueIn(layout);
        if (place._nullValue is { } found) return place.Splice(found.Start, found.Length, value);

        string member = PythonJson.Text(name) + layout.Colon + value;
        if (place._lastValueEnd >= 0) return place.Splice(place._lastValueEnd, 0, layout.Comma + layout.LineBreak(1) + member);
        // An empty object: what was between its brackets goes.
        int start = place._objectStart + 1;
        return place.Splice(start, place._objectEnd - start, layout.LineBreak(1) + member + layout.LineBreak(0));
    }

    /// <summary>The text without a member and the comma that went with it; unchanged when it has none.</summary>
    public static byte[] Remove(byte[] text, byte[] readable, string name)
    {
        ConfigText place = new(text, readable, name);
        if (place._member is not { } member) return text;
        (int start, int end) = member.PreviousValueEnd >= 0
            ? (member.PreviousValueEnd, member.ValueEnd)
            : (member.Name, place._memberNext >= 0 ? place._memberNext : member.ValueEnd);
        return place.Splice(start, end - start, "");
    }

    private void Scan(byte[] readable)
    {
        Utf8JsonReader reader = new(readable, new JsonReaderOptions { MaxDepth = FormatLimits.ConfigDepth });
        reader.Read();
        _objectStart = (int)reader.TokenStartIndex;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            bool isMember = reader.ValueTextEquals(_wanted);
            int nameStart = (int)reader.TokenStartIndex;
            int nameEnd = (int)reader.BytesConsumed;
            reader.Read();
            int valueStart = (int)reader.TokenStartIndex;
            if (isMember) _nullValue = (valueStart, 4);
            else if (_member is not null && _memberNext < 0) _memberNext = nameStart;
            reader.Skip();
            if (isMember) _member = (nameStart, (int)reader.BytesConsumed, _lastValueEnd);
            _lastValueEnd = (int)reader.BytesConsumed;
            if (_firstName < 0)
            {
                (_firstName, _firstNameEnd) = (nameStart, NameEnd(nameEnd));
                (_firstValue, _firstValueEnd) = (valueStart, _lastValueEnd);
            }
            else if (_secondName < 0)
            {
                _secondName = nameStart;
            }
        }

        _objectEnd = (int)reader.TokenStartIndex;
    }

    /// <summary>End of a name's quotes; the reader has consumed the colon as well.</summary>
    private int NameEnd(int consumed)
    {
        int end = consumed;
        while (_text[end - 1] != '"') end--;
        return end;
    }

    private JsonLayout Layout()
    {
        int contentStart = _firstName >= 0 ? _firstName : _objectEnd;
        string lead = Encoding.UTF8.GetString(_text.AsSpan(_objectStart + 1, contentStart - _objectStart - 1));
        string colon = _firstName < 0 ? ": " : Encoding.UTF8.GetString(_text.AsSpan(_firstNameEnd, _firstValue - _firstNameEnd));
        // A name and its value on different lines is nobody's style worth repeating.
        if (colon.AsSpan().ContainsAny('\r', '\n')) colon = ": ";
        int lineEnd = lead.LastIndexOf('\n');
        if (lineEnd < 0)
        {
            string comma = _secondName < 0
                ? ", "
                : Encoding.UTF8.GetString(_text.AsSpan(_firstValueEnd, _secondName - _firstValueEnd));
            return new JsonLayout(null, "", colon, comma.AsSpan().ContainsAny('\r', '\n') ? ", " : comma);
        }

        string newLine = lineEnd > 0 && lead[lineEnd - 1] == '\r' ? "\r\n" : "\n";
        string indent = _firstName < 0 ? "  " : lead[(lineEnd + 1)..];
        return new JsonLayout(newLine, indent, colon, ",");
    }

    private byte[] Splice(int start, int length, string replacement)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(replacement);
        return [.. _text.AsSpan(0, start), .. bytes, .. _text.AsSpan(start + length)];
    }
}
