using System.Buffers;
using Bnb.Engine.Architectures;

namespace Bnb.Engine.Policy.IgnoreLists;

/// <summary>
/// Writes an ignore list that holds given names and none of the quantized ones: a regular expression where it stands for
/// several names, else the name itself. Expressions are made of a word of the names, their beginning or their end, or of
/// the name with its numbers left open; Python and .NET read them alike.
/// </summary>
internal sealed class IgnoreListBuilder
{
    private const string Number = "[0-9]+";
    private static readonly SearchValues<char> Plain =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*.");

    private readonly HashSet<string> _forbidden = new(StringComparer.Ordinal);
    private readonly HashSet<string> _quantizedPatterns = new(StringComparer.Ordinal);

    /// <summary>Takes every name of every quantized module.</summary>
    public IgnoreListBuilder(IEnumerable<string> quantized)
    {
        foreach (string name in quantized)
        {
            string pattern = NumberedName.Pattern(name);
            if (_quantizedPatterns.Add(pattern)) _forbidden.UnionWith(Expressions(pattern.Split('.'), null));
        }
    }

    /// <summary>Whether a quantized name differs from <paramref name="name"/> in numbers only.</summary>
    public bool IsMixed(string name) => _quantizedPatterns.Contains(NumberedName.Pattern(name));

    /// <summary>The list for the names, with a word of each that explains it where there is one; ordinally sorted.</summary>
    public IReadOnlyList<string> Build(IEnumerable<(string Name, string? Hint)> needed)
    {
        Dictionary<string, (List<string> Names, string? Hint)> patterns = new(StringComparer.Ordinal);
        foreach ((string name, string? hint) in needed)
        {
            string pattern = NumberedName.Pattern(name);
            if (!patterns.TryGetValue(pattern, out var known)) patterns[pattern] = known = ([], hint);
            known.Names.Add(name);
            if (known.Hint is null && hint is not null) patterns[pattern] = (known.Names, hint);
        }

        Dictionary<string, int> counts = new(StringComparer.Ordinal);
        foreach ((string pattern, (List<string> names, string? hint)) in patterns)
            foreach (string expression in Writable(pattern, hint).Distinct(StringComparer.Ordinal))
                counts[expression] = counts.GetValueOrDefault(expression) + names.Count;

        SortedSet<string> entries = new(StringComparer.Ordinal);
        foreach ((string pattern, (List<string> names, string? hint)) in patterns.OrderBy(static item => item.Key, StringComparer.Ordinal))
        {
            List<string> harmless = [.. Writable(pattern, hint).Where(expression => !_forbidden.Contains(expression))];
            if (harmless.Exists(entries.Contains)) continue;
            string? chosen = harmless.Find(expression => counts[expression] > 1);
            if (chosen is null) entries.UnionWith(names);
            else entries.Add(chosen);
        }

        return [.. entries];
    }

    private static IEnumerable<string> Writable(string pattern, string? hint)
    {
        string[] parts = pattern.Split('.');
        return pattern.AsSpan().ContainsAnyExcept(Plain) || parts.Contains("") ? [] : Expressions(parts, hint);
    }

    // From the widest to the narrowest. What matches a name is exactly its own expressions, so that an expression touches a
    // quantized name only if it is among that one's.
    private static IEnumerable<string> Expressions(string[] parts, string? hint)
    {
        if (parts.Length < 2) yield break;
        if (hint is not null)
        {
            int at = Array.IndexOf(parts, hint);
            if (at == 0) yield return Begin(parts, 1);
            else if (at > 0 && at < parts.Length - 1) yield return Inner(hint);
        }

        for (int count = 1; count <= Math.Min(2, parts.Length - 1); count++)
            if (parts[count - 1] != "*") yield return Begin(parts, count);

        if (parts[^1] != "*") yield return End(parts, 1);
        for (int i = parts.Length - 2; i >= 1; i--)
            if (parts[i] != "*") yield return Inner(parts[i]);

        if (parts.Length > 2) yield return End(parts, 2);
        for (int count = 3; count < parts.Length; count++)
            if (parts[count - 1] != "*") yield return Begin(parts, count);

        yield return IgnoreEntry.RegexMark + Join(parts) + "$";
    }

    private static string Begin(string[] parts, int count) => IgnoreEntry.RegexMark + Join(parts.AsSpan(0, count)) + @"\..*";

    private static string End(string[] parts, int count) => IgnoreEntry.RegexMark + @".*\." + Join(parts.AsSpan(parts.Length - count)) + "$";

    private static string Inner(string word) => IgnoreEntry.RegexMark + $@".*\.{word}\..*";

    private static string Join(ReadOnlySpan<string> parts) => string.Join(@"\.", parts).Replace("*", Number, StringComparison.Ordinal);
}
