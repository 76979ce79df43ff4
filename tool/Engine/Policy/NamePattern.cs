using System.Text.RegularExpressions;
using Bnb.Engine.Policy.Names;

namespace Bnb.Engine.Policy;

/// <summary>
/// What a user's pattern matches: after <c>re:</c> a regular expression over the whole name, else a <see cref="Glob"/>. Time is
/// linear in the name's length for either.
/// </summary>
internal sealed class NamePattern
{
    private const string Expression = "re:";

    private readonly string _prefix;
    private readonly Glob? _glob;
    private readonly Regex? _expression;

    /// <summary>Compiles a pattern.</summary>
    /// <param name="prefix">What may also stand before the names: <c>transformer/</c> for a component of a pipeline; empty for a model.</param>
    /// <exception cref="ArgumentException">The regular expression is none, or uses look-around or back references.</exception>
    public NamePattern(string pattern, string prefix = "")
    {
        _prefix = prefix;
        if (!pattern.StartsWith(Expression, StringComparison.Ordinal))
        {
            _glob = new Glob(pattern);
            return;
        }

        try
        {
            _expression = new Regex($"^(?:{pattern[Expression.Length..]})$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (NotSupportedException error)
        {
            throw new ArgumentException(error.Message, nameof(pattern), error);
        }
    }

    /// <summary>Compiles what a user gave as <paramref name="option"/>.</summary>
    /// <param name="prefix">As the constructor has it.</param>
    /// <exception cref="PolicyException">PATTERN-INVALID.</exception>
    public static NamePattern Of(string pattern, string option, string prefix = "")
    {
        try
        {
            return new NamePattern(pattern, prefix);
        }
        catch (ArgumentException error)
        {
            throw new PolicyException(
                PolicyException.PatternInvalid,
                "a pattern is no regular expression, or one with look-around or back references",
                [KeyValuePair.Create(option, PolicyException.Shorten(pattern)), KeyValuePair.Create("reason", error.Message.Split(" (Parameter")[0])],
                "correct what follows re:, or give a glob without it");
        }
    }

    /// <summary>Whether the whole of <paramref name="name"/> fits, with the prefix or without.</summary>
    public bool IsMatch(string name) => Fits(name) || (_prefix.Length > 0 && Fits(_prefix + name));

    /// <summary>Whether the whole name of a tensor fits, or that of the module whose weight it is.</summary>
    public bool IsMatchOfTensor(string name) => IsMatch(name) || (ModuleName.PathOfWeight(name) is { } module && IsMatch(module));

    private bool Fits(string name) => _glob?.IsMatch(name) ?? _expression!.IsMatch(name);
}
