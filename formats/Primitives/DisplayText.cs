using System.Globalization;
using System.Text;

namespace Bnb.Formats.Primitives;

/// <summary>
/// Makes text from files safe to show: a tensor name may hold terminal escape codes, line breaks or 70 kB of anything.
/// </summary>
public static class DisplayText
{
    /// <summary>Most characters of one escaped text.</summary>
    public const int MaxLength = 200;

    /// <summary>
    /// Control, format and line-separator characters and lone surrogates become <c>\x1b</c> or <c>\u202e</c>, a backslash
    /// doubles, and what is over <see cref="MaxLength"/> characters is cut and marked with <c>...</c>.
    /// </summary>
    public static string Escape(string text) => Escape(text, doubleBackslashes: true);

    /// <summary>
    /// The same but for backslashes, which stay as they are: for a message or a fact whose parts have been escaped, so that
    /// <c>\x1b</c> does not become <c>\\x1b</c>. Escaping once more changes nothing.
    /// </summary>
    public static string EscapeAgain(string text) => Escape(text, doubleBackslashes: false);

    private static string Escape(string text, bool doubleBackslashes)
    {
        ArgumentNullException.ThrowIfNull(text);
        StringBuilder shown = new(Math.Min(text.Length, MaxLength));
        int index = 0;
        int cutAt = 0;
        while (index < text.Length)
        {
            bool isPair = char.IsHighSurrogate(text[index]) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]);
            string piece = isPair ? text.Substring(index, 2) : !doubleBackslashes && text[index] == '\\' ? "\\" : EscapeOne(text[index]);
            if (isPair && IsHidden(CharUnicodeInfo.GetUnicodeCategory(text, index)))
                piece = string.Create(CultureInfo.InvariantCulture, $"\\U{char.ConvertToUtf32(text, index):x8}");
            // The last boundary that leaves room for the dots, which are only spent when something really is cut.
            if (shown.Length <= MaxLength - 3) cutAt = shown.Length;
            shown.Append(piece);
            if (shown.Length > MaxLength)
            {
                shown.Length = cutAt;
                return shown.Append("...").ToString();
            }

            index += isPair ? 2 : 1;
        }

        return shown.ToString();
    }

    /// <summary>A byte count as people read it: <c>4,976,698,672 bytes</c>.</summary>
    public static string Bytes(long count) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} byte{(count == 1 ? "" : "s")}");

    /// <summary>The printable ASCII of raw bytes, the rest escaped; at most <paramref name="max"/> bytes are used.</summary>
    internal static string Escape(ReadOnlySpan<byte> bytes, int max)
    {
        StringBuilder shown = new();
        foreach (byte value in bytes[..Math.Min(bytes.Length, max)])
        {
            if (value is >= 0x20 and < 0x7f and not (byte)'\\') shown.Append((char)value);
            else shown.Append(CultureInfo.InvariantCulture, $"\\x{value:x2}");
        }

        return shown.ToString();
    }

    private static string EscapeOne(char c)
    {
        if (c == '\\') return "\\\\";
        if (c < 0x20 || c is >= '\x7f' and <= '\x9f') return string.Create(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
        return IsHidden(char.GetUnicodeCategory(c))
            ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")
            : c.ToString();
    }

    private static bool IsHidden(UnicodeCategory category) => category is UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned;
}
