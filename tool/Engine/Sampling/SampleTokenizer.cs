using System.Text;
using System.Text.Json;

namespace Bnb.Engine.Sampling;

/// <summary>A <c>tokenizer.json</c> whose tokens are the 256 bytes, in their order, so that the sample model can be given text.</summary>
internal static class SampleTokenizer
{
    public static string Json()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            WriteByteLevel(json, "pre_tokenizer");
            WriteByteLevel(json, "decoder");
            json.WriteStartObject("model");
            json.WriteString("type", "BPE");
            json.WriteStartObject("vocab");
            for (int value = 0, shifted = 0; value < 256; value++)
            {
                // GPT-2's alphabet: bytes that print stand for themselves, the others for characters from U+0100 on.
                bool prints = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE;
                json.WriteNumber(((char)(prints ? value : 256 + shifted++)).ToString(), value);
            }

            json.WriteEndObject();
            json.WriteStartArray("merges");
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string member)
    {
        json.WriteStartObject(member);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", true);
        json.WriteEndObject();
    }
}
