using System.Buffers;
using System.Globalization;
using System.Text;

namespace Bnb.Formats.Json;

/// <summary>
/// Text and numbers exactly as Python's <c>json.dumps</c> writes them with its default <c>ensure_ascii</c>; the files that
/// the Python libraries write are compared byte for byte.
/// </summary>
internal static class PythonJson
{
    /// <summary>Most characters of a <see cref="Float"/>: sign, 17 digits, point, and <c>e-308</c> or a <c>0.000</c> in
    /// front.</summary>
    public const int MaxFloatLength = 24;

    private const string PlainText = " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";
    private static readonly SearchValues<char> Plain = SearchValues.Create(PlainText);

    /// <summary>The characters that a string holds as they are, all of them ASCII.</summary>
    public static SearchValues<byte> PlainBytes { get; } = SearchValues.Create(Encoding.ASCII.GetBytes(PlainText));

    /// <summary>A quoted string: everything outside printable ASCII is escaped.</summary>
    public static string Text(string text)
    {
        // Nearly always there is nothing to escape.
        if (TextLength(text) == text.Length + 2) return string.Concat("\"", text, "\"");
        StringBuilder quoted = new("\"", text.Length + 2);
        foreach (char c in text)
        {
            _ = c switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                '\b' => quoted.Append("\\b"),
                '\f' => quoted.Append("\\f"),
                >= ' ' and <= '~' => quoted.Append(c),
                _ => quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
            };
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>Characters of <see cref="Text"/>.</summary>
    public static int TextLength(ReadOnlySpan<char> text)
    {
        int length = 2, plain = text.IndexOfAnyExcept(Plain);
        if (plain < 0) return length + text.Length;
        length += plain;
        foreach (char c in text[plain..])
        {
            length += c switch
            {
                '"' or '\\' or '\n' or '\r' or '\t' or '\b' or '\f' => 2,
                >= ' ' and <= '~' => 1,
                _ => 6,
            };
        }

        return length;
    }

    /// <summary>
    /// Python's <c>repr</c> of a float: the shortest digits that read back as the same double; scientific below 1e-4 and from
    /// 1e16 on, where .NET changes at 1e-5 and 1e15.
    /// </summary>
    public static string Float(double value)
    {
        if (double.IsNaN(value)) return "NaN";
        if (double.IsInfinity(value)) return value > 0 ? "Infinity" : "-Infinity";
        if (value == 0) return double.IsNegative(value) ? "-0.0" : "0.0";

        // "E16" would be 17 digits always; "R" gives the shortest ones in one of two layouts, which are taken apart here.
        string shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture);
        int e = shortest.IndexOf('E', StringComparison.Ordinal);
        int exponent = e < 0 ? 0 : int.Parse(shortest.AsSpan(e + 1), CultureInfo.InvariantCulture);
        string mantissa = e < 0 ? shortest : shortest[..e];
        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        exponent += point < 0 ? mantissa.Length : point;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int leading = digits.Length - digits.TrimStart('0').Length;
        digits = digits[leading..].TrimEnd('0');
        exponent -= leading;

        // Now the value is 0.DIGITS times ten to the exponent.
        string sign = double.IsNegative(value) ? "-" : "";
        if (exponent is <= -4 or > 16)
        {
            string fraction = digits.Length > 1 ? "." + digits[1..] : "";
            int power = exponent - 1;
            return string.Create(
                CultureInfo.InvariantCulture, $"{sign}{digits[0]}{fraction}e{(power < 0 ? '-' : '+')}{Math.Abs(power):00}");
        }

        if (exponent <= 0) return $"{sign}0.{new string('0', -exponent)}{digits}";
        return digits.Length <= exponent
            ? $"{sign}{digits.PadRight(exponent, '0')}.0"
            : $"{sign}{digits[..exponent]}.{digits[exponent..]}";
    }

    /// <summary>Order of <c>sort_keys</c>: by code point, which differs from UTF-16 order above the surrogates.</summary>
    public static int CompareKeys(string left, string right)
    {
        int length = Math.Min(left.Length, right.Length);
        for (int i = 0; i < length; i++)
        {
            char a = left[i], b = right[i];
            if (a == b) continue;
            bool aPair = char.IsSurrogate(a), bPair = char.IsSurrogate(b);
            return aPair == bPair ? a.CompareTo(b) : aPair ? 1 : -1;
        }

        return left.Length.CompareTo(right.Length);
    }
}
