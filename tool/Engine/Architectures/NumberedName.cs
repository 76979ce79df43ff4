using System.Text;

namespace Bnb.Engine.Architectures;

/// <summary>Names with their numbers taken out: <c>model.layers.3.mlp.up_proj</c> is <c>model.layers.*.mlp.up_proj</c>.</summary>
internal static class NumberedName
{
    /// <summary>
    /// The pattern of a name: each component that is a number becomes <c>*</c>. The same string when there is none. A star of
    /// the name's own is written <c>\*</c>: no name is the pattern of others.
    /// </summary>
    public static string Pattern(string name)
    {
        name = name.Replace("*", @"\*", StringComparison.Ordinal);
        StringBuilder? text = null;
        int copied = 0;
        foreach ((int start, int length) in Components(name))
        {
            if (!IsNumber(name.AsSpan(start, length))) continue;
            text ??= new StringBuilder(name.Length);
            text.Append(name, copied, start - copied).Append('*');
            copied = start + length;
        }

        return text is null ? name : text.Append(name, copied, name.Length - copied).ToString();
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
