using Bnb.Engine.Policy.Names;
using Bnb.Engine.Text;

namespace Bnb.Engine.Policy;

/// <summary>What is said of a pattern that fits nothing: most likely it is misspelt.</summary>
internal static class UnmatchedPattern
{
    private const int Shown = 3;

    /// <summary>PATTERN-UNMATCHED with the names that are nearest.</summary>
    /// <param name="option">What the pattern was given as.</param>
    /// <param name="summary">What it was held against.</param>
    /// <param name="tensors">Names of the tensors it could have meant.</param>
    public static PolicyException Error(string option, string pattern, string summary, IEnumerable<string> tensors)
    {
        IEnumerable<string> names = tensors.Select(static name => ModuleName.PathOfWeight(name) ?? name);
        List<KeyValuePair<string, string>> facts = [KeyValuePair.Create(option, PolicyException.Shorten(pattern))];
        facts.AddRange(NearestNames.Find(pattern, names, Shown).Select(static name => KeyValuePair.Create("nearest", name)));
        return new PolicyException(
            PolicyException.PatternUnmatched,
            summary,
            facts,
            IsList(pattern)
                ? "one pattern each time: repeat the option, or write {a,b}"
                : "correct the pattern; it must fit the whole tensor or module name, * stands for any run of characters");
    }

    /// <summary>Names and commas, none of them inside braces.</summary>
    private static bool IsList(string pattern) =>
        !pattern.StartsWith("re:", StringComparison.Ordinal) && pattern.Contains(',', StringComparison.Ordinal) && !pattern.Contains('{', StringComparison.Ordinal);
}
