using System.Text.RegularExpressions;

namespace Bnb.Engine.Policy.SkipLists;

/// <summary>
/// A compiled <c>llm_int8_skip_modules</c> that answers, for each consumer, whether a module is skipped. The four rules:
/// <list type="bullet">
/// <item>v4 (transformers 4, diffusers): the leaf is an entry, or an entry plus a dot occurs anywhere in the name
/// (not only at component borders), or the name is an entry.</item>
/// <item>v5 (transformers 5.0 to 5.22): Python's <c>re.match(entry, name)</c>, an unanchored prefix in which a dot stands for any
/// character, or the name ends with the entry's text.</item>
/// <item>v5 anchored (5.23): as v5, but the match must end with a dot, or a dot or the end must follow.</item>
/// <item>vLLM: an entry is one dotted component of the name or a dotted prefix of it.</item>
/// </list>
/// Literal entries are looked up in tables; only entries with real regex syntax run through <see cref="Regex"/>.
/// Exact, except that .NET's regexes see UTF-16 units where Python sees code points. Not thread-safe: it remembers answers.
/// </summary>
internal sealed class SkipList
{
    private const RegexOptions PythonLike = RegexOptions.CultureInvariant | RegexOptions.NonBacktracking;
    private readonly EntrySet _entries;
    private readonly EntryPrefixTree _literals = new();
    private readonly List<(Regex Prefix, Regex Anchored, Regex Whole)> _regexes = [];
    private readonly Dictionary<string, bool> _subtreeAnswers = new(StringComparer.Ordinal);

    /// <summary>Compiles the entries.</summary>
    /// <exception cref="ArgumentException">An entry is no regular expression that .NET understands.</exception>
    public SkipList(IEnumerable<string> entries)
    {
        _entries = new EntrySet(entries);
        foreach (string entry in _entries)
        {
            if (SkipEntry.IsLiteral(entry))
            {
                _literals.Add(entry);
            }
            else
            {
                _regexes.Add((
                    new Regex($"\\A(?:{entry})", PythonLike),
                    new Regex($"\\A(?:{entry})(?:\\.|$)", PythonLike),
                    new Regex($"\\A(?:{entry})\\z", PythonLike)));
            }
        }
    }

    /// <summary>Whether an entry of someone else's list can be judged: Python's regular expressions know more than these.</summary>
    public static bool IsReadable(string entry)
    {
        if (SkipEntry.IsLiteral(entry)) return true;
        try
        {
            _ = new SkipList([entry]);
            return true;
        }
        catch (Exception unreadable) when (unreadable is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    /// <summary>transformers 4 and diffusers.</summary>
    public bool MatchesV4(string name)
    {
        int dot = name.LastIndexOf('.');
        return _entries.Contains(name.AsSpan(dot + 1))
            || _entries.Contains(name)
            || (dot >= 0 && IsInSkippedSubtree(name[..dot]));
    }

    /// <summary>transformers 5.0 to 5.22.</summary>
    public bool MatchesV5(string name)
    {
        if (_literals.IsPrefixOf(name, anchored: false) || _entries.HasSuffixOf(name)) return true;
        foreach ((Regex prefix, _, _) in _regexes)
            if (prefix.IsMatch(name)) return true;

        return false;
    }

    /// <summary>transformers 5.23.</summary>
    public bool MatchesV5Anchored(string name)
    {
        if (_literals.IsPrefixOf(name, anchored: true) || _entries.HasSuffixOf(name)) return true;
        foreach ((_, Regex anchored, Regex whole) in _regexes)
            if (anchored.IsMatch(name) || EndsAtDot(whole, name)) return true;

        return false;
    }

    // Python looks back for the dot, which expressions that run in bounded time cannot: the pieces before it are asked instead.
    private static bool EndsAtDot(Regex whole, string name)
    {
        for (int dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1))
            if (whole.IsMatch(name.AsSpan(0, dot + 1))) return true;

        return false;
    }

    /// <summary>vLLM.</summary>
    public bool MatchesVllm(string name)
    {
        int start = 0;
        while (true)
        {
            int length = name.AsSpan(start).IndexOf('.');
            int end = length < 0 ? name.Length : start + length;
            if (_entries.Contains(name.AsSpan(start, end - start)) || _entries.Contains(name.AsSpan(0, end))) return true;
            if (length < 0) return false;
            start = end + 1;
        }
    }

    /// <summary>Whether at least one consumer skips <paramref name="name"/>.</summary>
    public bool MatchesAny(string name) => MatchesV5(name) || MatchesV4(name) || MatchesVllm(name) || MatchesV5Anchored(name);

    /// <summary>Whether every consumer skips <paramref name="name"/>.</summary>
    public bool MatchesAll(string name) => MatchesV5(name) && MatchesV4(name) && MatchesVllm(name) && MatchesV5Anchored(name);

    // "entry." occurs in the name exactly when some dotted prefix that has a dot behind it ends with the entry.
    private bool IsInSkippedSubtree(string parent)
    {
        if (_subtreeAnswers.TryGetValue(parent, out bool answer)) return answer;
        int end = parent.Length;
        while (end >= 0)
        {
            ReadOnlySpan<char> prefix = parent.AsSpan(0, end);
            if (_entries.HasSuffixOf(prefix))
            {
                answer = true;
                break;
            }

            end = prefix.LastIndexOf('.');
        }

        return _subtreeAnswers[parent] = answer;
    }
}
