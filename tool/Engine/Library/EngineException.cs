namespace Bnb.Engine.Library;

/// <summary>A job that could not be done, for a reason that its caller can change. Files that break a rule of their format throw
/// <see cref="Bnb.Formats.Primitives.CheckpointFormatException"/> instead.</summary>
/// <param name="code">Stable identifier such as <c>OUTPUT-EXISTS</c>.</param>
/// <param name="message">What happened.</param>
/// <param name="action">One thing to do about it, or null.</param>
/// <param name="cause">The exception behind it.</param>
public sealed class EngineException(string code, string message, string? action, Exception? cause) : Exception(message, cause)
{
    /// <summary>Stable identifier, the one in <c>error[...]</c> of the command line.</summary>
    public string Code { get; } = code;

    /// <summary>One thing to do about it, or null.</summary>
    public string? Action { get; } = action;
}
