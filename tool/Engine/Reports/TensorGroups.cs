using System.Globalization;

namespace Bnb.Engine.Reports;

/// <summary>
/// Folds rows that differ only in the numbers within their names: 32 layers become one row
/// <c>model.layers.{0-31}.mlp.up_proj.weight</c>. A reader sees all tensors without scrolling past thousands.
/// </summary>
internal static class TensorGroups
{
    private const char Placeholder = '\0';

    /// <param name="key">What must be equal besides the name's pattern for rows to fold.</param>
    /// <returns>Display name and members, in the order of each group's first member.</returns>
    public static IReadOnlyList<(string Name, IReadOnlyList<T> Members)> Fold<T, TKey>(
        IEnumerable<T> rows, Func<T, string> name, Func<T, TKey> key)
        where TKey : class
    {
        var groups = new List<Group<T>>();
        // Patterns are few and names may be a million: one string for each pattern.
        var patterns = new Dictionary<string, Variants<TKey, T>>(StringComparer.Ordinal);
        Dictionary<string, Variants<TKey, T>>.AlternateLookup<ReadOnlySpan<char>> known = patterns.GetAlternateLookup<ReadOnlySpan<char>>();
        char[] buffer = [];
        foreach (T row in rows)
        {
            string text = name(row);
            if (buffer.Length < text.Length) buffer = new char[text.Length];
            ReadOnlySpan<char> span = Pattern(text, buffer);
            if (!known.TryGetValue(span, out Variants<TKey, T>? variants))
            {
                string pattern = span.ToString();
                patterns[pattern] = variants = new Variants<TKey, T>(pattern, groups);
            }

            Group<T> group = variants.Of(key(row));
            group.Members.Add(row);
            int number = 0;
            foreach (Range part in text.AsSpan().Split('.'))
            {
                if (IsIndex(text.AsSpan(part))) group.Numbers[number++].Add(int.Parse(text.AsSpan(part), CultureInfo.InvariantCulture));
            }
        }

        return [.. groups.Select(static group => (Display(group.Pattern, group.Numbers), (IReadOnlyList<T>)group.Members))];
    }

    private sealed record Group<T>(string Pattern, List<T> Members, IReadOnlyList<HashSet<int>> Numbers);

    /// <summary>The groups of one pattern, which are added to all groups as they come.</summary>
    private sealed class Variants<TKey, T>(string pattern, List<Group<T>> groups)
        where TKey : class
    {
        private readonly Dictionary<TKey, Group<T>> _byKey = [];
        // Mostly there is one, and comparing two keys costs less than hashing one.
        private TKey? _lastKey;
        private Group<T>? _last;

        public Group<T> Of(TKey key)
        {
            if (key.Equals(_lastKey)) return _last!;
            if (!_byKey.TryGetValue(key, out Group<T>? group))
            {
                group = new Group<T>(pattern, [], [.. pattern.Where(static c => c == Placeholder).Select(static _ => new HashSet<int>())]);
                _byKey[key] = group;
                groups.Add(group);
            }

            (_lastKey, _last) = (key, group);
            return group;
        }
    }

    /// <summary>The name with every all-digit component replaced by a placeholder no component can contain.</summary>
    private static ReadOnlySpan<char> Pattern(string name, Span<char> buffer)
    {
        int length = 0;
        foreach (Range part in name.AsSpan().Split('.'))
        {
            ReadOnlySpan<char> text = name.AsSpan(part);
            if (part.Start.Value > 0) buffer[length++] = '.';
            if (IsIndex(text))
            {
                buffer[length++] = Placeholder;
                continue;
            }

            text.CopyTo(buffer[length..]);
            length += text.Length;
        }

        return buffer[..length];
    }

    private static bool IsIndex(ReadOnlySpan<char> part) => part.Length is > 0 and < 10 && !part.ContainsAnyExceptInRange('0', '9');

    private static string Display(string pattern, IReadOnlyList<HashSet<int>> numbers)
    {
        string[] parts = pattern.Split('.');
        int place = 0;
        for (int i = 0; i < parts.Length; i++)
        {
            if (parts[i] is [Placeholder]) parts[i] = Ranges(numbers[place++]);
        }

        return string.Join('.', parts);
    }

    /// <summary><c>3</c>, <c>{0-31}</c> or <c>{0-2,5,7-9}</c>.</summary>
    private static string Ranges(IEnumerable<int> numbers)
    {
        int[] sorted = [.. numbers.Distinct().Order()];
        if (sorted.Length == 1) return sorted[0].ToString(CultureInfo.InvariantCulture);
        var ranges = new List<string>();
        for (int start = 0, end; start < sorted.Length; start = end + 1)
        {
            end = start;
            while (end + 1 < sorted.Length && sorted[end + 1] == sorted[end] + 1) end++;
            ranges.Add(start == end ? $"{sorted[start]}" : $"{sorted[start]}-{sorted[end]}");
        }

        return "{" + string.Join(',', ranges) + "}";
    }
}
