namespace Bnb.Engine.Events;

/// <summary>How much a message matters.</summary>
public enum MessageLevel
{
    /// <summary>For a bug report: what was decided for each tensor, sizes of buffers.</summary>
    Debug,

    /// <summary>Of interest to who asks for details.</summary>
    Information,

    /// <summary>The run goes on, and its user should know.</summary>
    Warning,
}
