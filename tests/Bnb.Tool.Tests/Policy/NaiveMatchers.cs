using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace Bnb.Tool.Tests.Policy;

/// <summary>
/// The consumers' rules, restated as plainly as possible: one entry against one name, every entry through a regex. The
/// yardstick for <see cref="Bnb.Engine.Policy.SkipLists.SkipList"/> and for whole results.
/// </summary>
internal static class NaiveMatchers
{
    // Building a regex costs far more than asking it; the same entries come up in every test.
    private static readonly ConcurrentDictionary<string, Regex> Compiled = new();

    public static readonly IReadOnlyDictionary<string, Func<IReadOnlyList<string>, string, bool>> All =
        new Dictionary<string, Func<IReadOnlyList<string>, string, bool>>
        {
            ["v4"] = V4,
            ["v5"] = V5,
            ["v5-anchored"] = V5Anchored,
            ["vllm"] = Vllm,
        };

    private static bool V4(IReadOnlyList<string> entries, string name) =>
        entries.Contains(name.Split('.')[^1])
        || entries.Any(entry => name.Contains(entry + ".", StringComparison.Ordinal) || entry == name);

    private static bool V5(IReadOnlyList<string> entries, string name) => entries.Any(entry =>
        Match(entry + "\\.", name) || Match(entry, name) || name.EndsWith(entry, StringComparison.Ordinal));

    private static bool V5Anchored(IReadOnlyList<string> entries, string name) => entries.Any(entry =>
        Match($"(?:{entry})(?:(?<=\\.)|(?=\\.|$))", name) || name.EndsWith(entry, StringComparison.Ordinal));

    private static bool Vllm(IReadOnlyList<string> entries, string name)
    {
        string[] parts = name.Split('.');
        return entries.Any(entry =>
            parts.Contains(entry) || Enumerable.Range(1, parts.Length).Any(n => string.Join('.', parts.Take(n)) == entry));
    }

    private static bool Match(string pattern, string name) =>
        Compiled.GetOrAdd(pattern, static text => new Regex("\\A(?:" + text + ")", RegexOptions.CultureInvariant)).IsMatch(name);
}
