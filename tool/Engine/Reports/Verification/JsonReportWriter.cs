using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bnb.Engine.Verifying;

namespace Bnb.Engine.Reports.Verification;

/// <summary>The report as indented JSON: everything that was measured, for other programs and as a later run's baseline.</summary>
internal sealed class JsonReportWriter : IVerificationReportWriter
{
    // The file is not part of a web page, and paths should stay readable.
    private static readonly JsonWriterOptions Options = new()
    {
        Indented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <inheritdoc/>
    public void Write(VerificationReport report, TextWriter output)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            VerificationJson.WriteMembers(report, json);
            json.WriteEndObject();
        }

        output.Write(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
        output.Write('\n');
    }
}
