using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Bnb.Engine.Text;

/// <summary>JSON objects: on one line, as <c>--json</c> prints them and the journal holds them, or as a file of their own.</summary>
internal static class JsonLine
{
    // Nothing of this is ever put into a web page, and paths should stay readable.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonWriterOptions ForPeople = Readable with { Indented = true, NewLine = "\n" };

    /// <summary>The object whose members <paramref name="write"/> writes, as a text of many lines for a file.</summary>
    public static byte[] Indented(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, ForPeople))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return [.. buffer.ToArray(), (byte)'\n'];
    }

    /// <summary>The object whose members <paramref name="write"/> writes, with a line feed at its end.</summary>
    public static string Of(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Readable))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    /// <summary>One value, as <see cref="Of"/> and <see cref="Indented"/> write them: of a file that may have been changed since.</summary>
    /// <exception cref="JsonException">It is not JSON, or not UTF-8: the parser lets other bytes through in texts, to fail when they are read.</exception>
    public static JsonElement Parse(ReadOnlySpan<byte> utf8) =>
        Utf8.IsValid(utf8) ? JsonElement.Parse(utf8) : throw new JsonException("the text is not UTF-8");
}
