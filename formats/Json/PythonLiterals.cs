namespace Bnb.Formats.Json;

/// <summary>
/// Python's json module writes and reads the bare words <c>NaN</c>, <c>Infinity</c> and <c>-Infinity</c>, which JSON does not
/// have. Published configs contain them.
/// </summary>
internal static class PythonLiterals
{
    /// <summary>
    /// A copy in which the bare words are JSON of the same length, so that every position stays valid: infinities become
    /// numbers that read as infinities, NaN becomes an empty list, which no reader can take for a number. Neither can be a
    /// member's name, so what Python refuses stays refused.
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
                if (c == '\\') i++;
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
