using System.Globalization;

namespace Bnb.Formats.Json;

/// <summary>
/// Python's json module writes and reads the bare words <c>NaN</c>, <c>Infinity</c> and <c>-Infinity</c>, which JSON does not
/// have, and escapes of unpaired surrogates, which are no text here. Published configs contain the former.
/// </summary>
internal static class PythonLiterals
{
    private const int EscapeLength = 6;
    private const int FirstHigh = 0xd800;
    private const int FirstLow = 0xdc00;
    private const int LastLow = 0xdfff;
    private const int PrivateUse = 0xe000;

    /// <summary>
    /// A copy in which the bare words are JSON of the same length, so that every position stays valid: infinities become
    /// numbers that read as infinities, NaN becomes an empty list, which no reader can take for a number. Neither can be a
    /// member's name, so what Python refuses stays refused. Unpaired surrogates become characters for private use, each one
    /// of its own, so that different texts stay different.
    /// </summary>
    public static byte[] Replace(ReadOnlySpan<byte> json)
    {
        byte[] copy = json.ToArray();
        bool inText = false;
        for (int i = 0; i < copy.Length; i++)
        {
            byte c = copy[i];
            if (inText)
            {
                if (c == '\\') i += ReplaceEscape(copy, i);
                else if (c == '"') inText = false;
            }
            else if (c == '"')
            {
                inText = true;
            }
            else if (c is (byte)'N' or (byte)'I')
            {
                i += ReplaceAt(copy, i);
            }
        }

        return copy;
    }

    /// <summary>Bytes of an escape sequence less the one of its backslash.</summary>
    private static int ReplaceEscape(byte[] json, int at)
    {
        if (Surrogate(json, at) is not { } code) return 1;
        if (code < FirstLow && Surrogate(json, at + EscapeLength) is >= FirstLow) return (2 * EscapeLength) - 1;
        ((code - FirstHigh) | PrivateUse).TryFormat(json.AsSpan(at + 2, 4), out _, "x4", CultureInfo.InvariantCulture);
        return EscapeLength - 1;
    }

    private static int? Surrogate(byte[] json, int at)
    {
        if (at + EscapeLength > json.Length || json[at] != '\\' || json[at + 1] != 'u') return null;
        bool isHex = int.TryParse(json.AsSpan(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code);
        return isHex && code is >= FirstHigh and <= LastLow ? code : null;
    }

    private static int ReplaceAt(byte[] json, int at)
    {
        ReadOnlySpan<byte> rest = json.AsSpan(at);
        bool isNaN = rest.StartsWith("NaN"u8);
        if (!isNaN && !rest.StartsWith("Infinity"u8)) return 0;
        int length = isNaN ? 3 : 8;
        bool isNegative = !isNaN && at > 0 && json[at - 1] == '-';
        int before = at - (isNegative ? 2 : 1);
        // Only whole words: "1Infinity" must stay an error and not become a number.
        if (before >= 0 && !IsDelimiter(json[before])) return 0;
        if (at + length < json.Length && !IsDelimiter(json[at + length])) return 0;
        (isNaN ? "[ ]"u8 : "1e999999"u8).CopyTo(json.AsSpan(at));
        return length - 1;
    }

    private static bool IsDelimiter(byte c) => c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' or (byte)':' or (byte)','
        or (byte)'[' or (byte)']' or (byte)'{' or (byte)'}';
}
