using System.Diagnostics.CodeAnalysis;

namespace Bnb.Engine.Policy.Names;

/// <summary>An anticipated situation that only the user can resolve, told as a structured message.</summary>
internal sealed class PolicyException : Exception
{
    /// <summary>A pattern matches no tensor.</summary>
    public const string PatternUnmatched = "PATTERN-UNMATCHED";

    /// <summary>A pattern is no regular expression, or one that cannot be run in bounded time.</summary>
    public const string PatternInvalid = "PATTERN-INVALID";

    /// <summary>An include matches only tensors that no quantized linear layer can hold.</summary>
    public const string PatternImpossible = "PATTERN-IMPOSSIBLE";

    /// <summary>No skip list makes every consumer agree with the decisions.</summary>
    public const string SkipConflict = "SKIP-CONFLICT";

    /// <summary>Creates the message.</summary>
    public PolicyException(string code, string summary, IReadOnlyList<KeyValuePair<string, string>> facts, string action)
        : base($"{code}: {summary}")
    {
        Code = code;
        Summary = summary;
        Facts = facts;
        Action = action;
    }

    /// <summary>Stable code for scripts.</summary>
    public string Code { get; }

    /// <summary>What happened, one line.</summary>
    public string Summary { get; }

    /// <summary>Labelled values, shortened where names are long.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Facts { get; }

    /// <summary>What the user can do.</summary>
    public string Action { get; }

    /// <summary>Throws <see cref="SkipConflict"/> about the given modules.</summary>
    [DoesNotReturn]
    public static void ThrowSkipConflict(string summary, IEnumerable<string> modules) =>
        throw new PolicyException(
            SkipConflict,
            summary,
            [.. modules.Take(5).Select(static module => KeyValuePair.Create("module", Shorten(module)))],
            "quantize these modules too, or exclude whole layers or whole leaf names instead of single modules");

    /// <summary>Names come from files and may be huge or hold control characters; this makes one fit for a message.</summary>
    public static string Shorten(string name)
    {
        const int Longest = 120;
        ReadOnlySpan<char> head = name.AsSpan(0, Math.Min(name.Length, Longest));
        string clean = string.Create(head.Length, name, static (target, source) =>
        {
            for (int i = 0; i < target.Length; i++)
            {
                char value = source[i];
                target[i] = char.IsControl(value) || char.IsSurrogate(value) ? '?' : value;
            }
        });
        return name.Length > Longest ? clean + "…" : clean;
    }
}
