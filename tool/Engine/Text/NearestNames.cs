using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Text;

/// <summary>Suggests names that resemble a pattern which matched nothing.</summary>
internal static class NearestNames
{
    private const int MostCompared = 2000;
    private const int LongestCompared = 120;

    /// <summary>
    /// The <paramref name="count"/> names with the smallest edit distance to <paramref name="pattern"/>, one per numbered
    /// series (layers.0 stands for all layers). Bounded work: only so many series and so many characters are compared.
    /// </summary>
    public static IReadOnlyList<string> Find(string pattern, IEnumerable<string> names, int count)
    {
        Dictionary<string, string> series = new(StringComparer.Ordinal);
        foreach (string name in names)
        {
            if (name.Length > LongestCompared) continue;
            if (series.Count >= MostCompared) break;
            series.TryAdd(WithoutDigits(name), name);
        }

        string target = WithoutDigits(pattern.Length > LongestCompared ? pattern[..LongestCompared] : pattern);
        return
        [
            .. series.OrderBy(pair => Distance(target, pair.Key))
                .ThenBy(static pair => pair.Key, StringComparer.Ordinal)
                .Take(count)
                .Select(static pair => PolicyException.Shorten(pair.Value)),
        ];
    }

    /// <summary>The name nearest to <paramref name="word"/> if at most <paramref name="edits"/> edits away, else null.</summary>
    public static string? Within(string word, IEnumerable<string> names, int edits) => word.Length > LongestCompared
        ? null
        : names.Select(name => (Name: name, Edits: Distance(word, name)))
            .Where(candidate => candidate.Edits <= edits)
            .OrderBy(static candidate => candidate.Edits)
            .ThenBy(static candidate => candidate.Name, StringComparer.Ordinal)
            .Select(static candidate => candidate.Name)
            .FirstOrDefault();

    private static string WithoutDigits(string name) =>
        string.Create(name.Length, name, static (target, source) =>
        {
            for (int i = 0; i < target.Length; i++) target[i] = char.IsAsciiDigit(source[i]) ? '0' : source[i];
        });

    // Levenshtein, except that a star may swallow any number of characters for free.
    private static int Distance(string pattern, string name)
    {
        int[] above = [.. Enumerable.Range(0, name.Length + 1)];
        int[] row = new int[name.Length + 1];
        foreach (char wanted in pattern)
        {
            bool star = wanted == '*';
            row[0] = above[0] + (star ? 0 : 1);
            for (int i = 1; i <= name.Length; i++)
            {
                int same = wanted == name[i - 1] || wanted == '?' ? 0 : 1;
                row[i] = star
                    ? Math.Min(above[i], row[i - 1])
                    : Math.Min(above[i - 1] + same, Math.Min(above[i], row[i - 1]) + 1);
            }

            (above, row) = (row, above);
        }

        return above[name.Length];
    }
}
