using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Bnb.Engine.Text;

/// <summary>One JSON object on one line, as <c>--json</c> prints them and the journal holds them.</summary>
internal static class JsonLine
{
    // Nothing of this is ever put into a web page, and paths should stay readable.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

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
