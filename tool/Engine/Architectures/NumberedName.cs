using System.Text;

namespace Bnb.Engine.Architectures;

/// <summary>Names with their numbers taken out: <c>model.layers.3.mlp.up_proj</c> is <c>model.layers.*.mlp.up_proj</c>.</summary>
internal static class NumberedName
{
    /// <summary>Characters of a buffer that holds the pattern of nearly every name.</summary>
    public const int MostOnStack = 512;

    /// <summary>
    /// The pattern of a name: each component that is a number becomes <c>*</c>. A star of the name's own is written <c>\*</c>:
    /// no name is the pattern of others.
    /// </summary>
    public static string Pattern(string name)
    {
        ReadOnlySpan<char> pattern = Pattern(name, stackalloc char[MostOnStack]);
        return pattern.SequenceEqual(name) ? name : pattern.ToString();
    }

    /// <summary>The same in a buffer, or in one of its own where that is too short.</summary>
    public static ReadOnlySpan<char> Pattern(string name, Span<char> buffer)
    {
        // Each character may be a star.
        if (buffer.Length < 2 * name.Length) buffer = new char[2 * name.Length];
        int length = 0;
        foreach (Range component in name.AsSpan().Split('.'))
        {
            ReadOnlySpan<char> text = name.AsSpan(component);
            if (component.Start.Value > 0) buffer[length++] = '.';
            if (IsNumber(text))
            {
                buffer[length++] = '*';
                continue;
            }

            foreach (char value in text)
            {
                if (value == '*') buffer[length++] = '\\';
                buffer[length++] = value;
            }
        }

        return buffer[..length];
    }

    /// <summary>The numbers of a name in their order.</summary>
    public static IReadOnlyList<string> Numbers(string name) =>
        [.. Components(name).Where(part => IsNumber(name.AsSpan(part.Start, part.Length))).Select(part => name.Substring(part.Start, part.Length))];

    /// <summary>Puts numbers into a pattern, in order; a pattern with more places than numbers gets zeros.</summary>
    public static string Fill(string pattern, IReadOnlyList<string> numbers)
    {
        if (!pattern.Contains('*', StringComparison.Ordinal)) return pattern;
        var text = new StringBuilder(pattern.Length + 8);
        int used = 0;
        foreach (char value in pattern)
        {
            if (value != '*') text.Append(value);
            else text.Append(used < numbers.Count ? numbers[used++] : "0");
        }

        return text.ToString();
    }

    private static IEnumerable<(int Start, int Length)> Components(string name)
    {
        int start = 0;
        while (true)
        {
            int end = name.IndexOf('.', start);
            yield return (start, (end < 0 ? name.Length : end) - start);
            if (end < 0) yield break;
            start = end + 1;
        }
    }

    private static bool IsNumber(ReadOnlySpan<char> text)
    {
        foreach (char value in text)
            if (!char.IsAsciiDigit(value)) return false;

        return text.Length > 0;
    }
}
