namespace Bnb.Engine.Events;

/// <summary>For callers that only want the result.</summary>
public sealed class NoEvents : IRunEvents
{
    private NoEvents()
    {
    }

    /// <summary>The one instance.</summary>
    public static NoEvents Instance { get; } = new();

    /// <inheritdoc/>
    public void Message(MessageLevel level, string text)
    {
    }

    /// <inheritdoc/>
    public bool Takes(MessageLevel level) => false;

    /// <inheritdoc/>
    public IDisposable? Watch(PipelineProgress progress) => null;

    /// <inheritdoc/>
    public void Outcome(string text)
    {
    }
}
