namespace Bnb.Engine.Policy;

/// <summary>
/// A whole-string, case-sensitive pattern: <c>*</c> any run of characters including dots, <c>?</c> one character,
/// <c>{a,b}</c> either. Braces do not nest; an unclosed brace is an ordinary character.
/// Time is bounded by pattern length times name length per alternative.
/// </summary>
internal sealed class Glob
{
    private const int MostAlternatives = 64;
    private readonly List<string> _alternatives;

    /// <summary>Compiles <paramref name="pattern"/>.</summary>
    public Glob(string pattern) => _alternatives = Expand(pattern);

    /// <summary>Whether the whole of <paramref name="name"/> fits.</summary>
    public bool IsMatch(ReadOnlySpan<char> name)
    {
        foreach (string alternative in _alternatives)
            if (Fits(alternative, name)) return true;

        return false;
    }

    private static List<string> Expand(string pattern)
    {
        List<string> done = [];
        Stack<string> open = new([pattern]);
        while (open.TryPop(out string? next))
        {
            int start = next.IndexOf('{', StringComparison.Ordinal);
            int end = start < 0 ? -1 : next.IndexOf('}', start);
            bool tooMany = done.Count + open.Count >= MostAlternatives;
            if (end < 0 || tooMany)
            {
                done.Add(next);
                continue;
            }

            foreach (string choice in next[(start + 1)..end].Split(','))
                open.Push(string.Concat(next.AsSpan(0, start), choice, next.AsSpan(end + 1)));
        }

        return done;
    }

    // The usual two-pointer walk: on a mismatch, let the latest star take one character more. Never recurses.
    private static bool Fits(ReadOnlySpan<char> pattern, ReadOnlySpan<char> name)
    {
        int p = 0;
        int n = 0;
        int star = -1;
        int resume = 0;
        while (n < name.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                resume = n;
            }
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == name[n]))
            {
                p++;
                n++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++resume;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '*') p++;
        return p == pattern.Length;
    }
}
