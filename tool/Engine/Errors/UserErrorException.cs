namespace Bnb.Engine.Errors;

/// <summary>
/// An anticipated failure: what the user sees is this object and nothing else, no stack trace.
/// </summary>
/// <param name="exit">The documented exit code.</param>
/// <param name="code">Stable identifier such as <c>NOSPACE</c>, printed as <c>error[NOSPACE]</c>.</param>
/// <param name="summary">First line: what happened and where.</param>
internal sealed class UserErrorException(ExitCode exit, string code, string summary, Exception? cause = null)
    : Exception(summary, cause)
{
    public ExitCode Exit { get; } = exit;

    public string Code { get; } = code;

    public string Summary { get; } = summary;

    /// <summary>The file the error is about, when there is one; part of the JSON form.</summary>
    public string? File { get; init; }

    /// <summary>The tensor the error is about, when there is one; part of the JSON form.</summary>
    public string? Tensor { get; init; }

    /// <summary>Labelled facts, in the order they are printed.</summary>
    public IReadOnlyList<(string Label, string Value)> Facts { get; init; } = [];

    /// <summary>One thing the user can do about it.</summary>
    public string? Action { get; init; }
}
