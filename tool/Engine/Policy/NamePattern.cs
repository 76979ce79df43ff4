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

    private readonly Glob? _glob;
    private readonly Regex? _expression;

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="ArgumentException">The regular expression is none, or uses look-around or back references.</exception>
    public NamePattern(string pattern)
    {
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
    /// <exception cref="PolicyException">PATTERN-INVALID.</exception>
    public static NamePattern Of(string pattern, string option)
    {
        try
        {
            return new NamePattern(pattern);
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

    /// <summary>Whether the whole of <paramref name="name"/> fits.</summary>
    public bool IsMatch(string name) => _glob?.IsMatch(name) ?? _expression!.IsMatch(name);

    /// <summary>Whether the whole name of a tensor fits, or that of the module whose weight it is.</summary>
    public bool IsMatchOfTensor(string name) => IsMatch(name) || (ModuleName.PathOfWeight(name) is { } module && IsMatch(module));
}
