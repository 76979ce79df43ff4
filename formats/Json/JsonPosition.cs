using System.Globalization;
using System.Text.Json;

namespace Bnb.Formats.Json;

/// <summary>Words for the place and reason in a <see cref="JsonException"/>.</summary>
internal static class JsonPosition
{
    /// <summary>Line and byte, both counted from 1 as editors do.</summary>
    public static string Text(JsonException error) => error.LineNumber is { } line && error.BytePositionInLine is { } at
        ? string.Create(CultureInfo.InvariantCulture, $"line {line + 1}, byte {at + 1}")
        : "unknown";

    /// <summary>The reader's reason without the position it appends.</summary>
    public static string Reason(JsonException error)
    {
        int end = error.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return end < 0 ? error.Message : error.Message[..end];
    }

    /// <summary>Offset of the first byte that is not UTF-8; the length when there is none.</summary>
    public static int FirstInvalidUtf8(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (at < text.Length)
        {
            int ascii = text[at..].IndexOfAnyExceptInRange((byte)0, (byte)0x7f);
            if (ascii < 0) return text.Length;
            at += ascii;
            if (System.Text.Rune.DecodeFromUtf8(text[at..], out _, out int used) != System.Buffers.OperationStatus.Done)
                return at;
            at += used;
        }

        return at;
    }
}
