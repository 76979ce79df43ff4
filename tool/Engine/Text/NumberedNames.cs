namespace Bnb.Engine.Text;

/// <summary>Orders names with numbers in them as people do: <c>layers.2</c> before <c>layers.10</c>.</summary>
internal static class NumberedNames
{
    /// <summary>Digits by their value, everything else by its characters; equal only for equal names.</summary>
    public static IComparer<string> Order { get; } = Comparer<string>.Create(Compare);

    private static int Compare(string? a, string? b)
    {
        if (a is null || b is null) return string.CompareOrdinal(a, b);
        int i = 0, j = 0;
        while (i < a.Length && j < b.Length)
        {
            if (!char.IsAsciiDigit(a[i]) || !char.IsAsciiDigit(b[j]))
            {
                if (a[i] != b[j]) return a[i].CompareTo(b[j]);
                i++;
                j++;
                continue;
            }

            ReadOnlySpan<char> first = Digits(a, ref i), second = Digits(b, ref j);
            // Without leading zeros the longer number is the larger; no length is too long for this.
            int order = first.Length != second.Length ? first.Length.CompareTo(second.Length) : first.SequenceCompareTo(second);
            if (order != 0) return order;
        }

        int rest = (a.Length - i).CompareTo(b.Length - j);
        return rest != 0 ? rest : string.CompareOrdinal(a, b);
    }

    private static ReadOnlySpan<char> Digits(string text, ref int at)
    {
        int start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
        ReadOnlySpan<char> digits = text.AsSpan(start, at - start).TrimStart('0');
        return digits;
    }
}
