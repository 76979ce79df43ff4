using System.Text.Json;
using System.Text.Unicode;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>The names of a header, one after the other: neither they nor the header are kept, whatever its length.</summary>
internal static class HeaderNames
{
    private const int PieceBytes = 1 << 16;

    /// <param name="file">Where the header is, behind eight bytes.</param>
    /// <param name="length">Bytes of its JSON.</param>
    /// <param name="errors">Makes what is thrown.</param>
    /// <param name="each">Takes the names.</param>
    /// <param name="pieceBytes">Bytes that are read at a time; more where one token is longer.</param>
    /// <exception cref="CheckpointFormatException">The text is no JSON object, or a name is no text.</exception>
    public static void Read(IByteSource file, int length, HeaderErrors errors, TensorNameHandler each, int pieceBytes = PieceBytes)
    {
        var state = new JsonReaderState(new JsonReaderOptions { MaxDepth = FormatLimits.HeaderDepth });
        byte[] piece = new byte[Math.Min(length, pieceBytes)];
        byte[] unescaped = [];
        int kept = 0;
        try
        {
            for (int position = 0; position < length;)
            {
                int fresh = Math.Min(piece.Length - kept, length - position);
                file.Read(8L + position, piece.AsSpan(kept, fresh));
                position += fresh;
                ReadOnlySpan<byte> text = piece.AsSpan(0, kept + fresh);
                var reader = new Utf8JsonReader(text, position == length, state);
                ReadPiece(ref reader, errors, each, ref unescaped);
                state = reader.CurrentState;
                text = text[(int)reader.BytesConsumed..];
                kept = text.Length;
                // A token longer than the piece.
                byte[] next = kept < piece.Length ? piece : new byte[Math.Min(2L * piece.Length, length)];
                text.CopyTo(next);
                piece = next;
            }
        }
        catch (JsonException error)
        {
            throw errors.Json(error);
        }
        catch (InvalidOperationException error)
        {
            throw errors.Json(new JsonException("text with an unpaired surrogate escape", null, null, null, error));
        }
    }

    private static void ReadPiece(ref Utf8JsonReader reader, HeaderErrors errors, TensorNameHandler each, ref byte[] unescaped)
    {
        while (reader.Read())
        {
            if (reader.CurrentDepth == 0 && reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.EndObject))
                throw errors.Of(FormatError.SafetensorsNotJson, "the header is not a JSON object", ("found", reader.TokenType.ToString()));
            if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.PropertyName || reader.ValueTextEquals("__metadata__"u8)) continue;
            ReadOnlySpan<byte> name = reader.ValueSpan;
            if (reader.ValueIsEscaped)
            {
                // An escape is never shorter than what it stands for.
                if (unescaped.Length < name.Length) unescaped = new byte[name.Length];
                name = unescaped.AsSpan(0, reader.CopyString(unescaped));
            }

            if (!Utf8.IsValid(name)) throw errors.Of(FormatError.SafetensorsNotUtf8, "the header is not UTF-8", ("found", "a name that is not"));
            each(name);
        }
    }
}
