using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

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
}
