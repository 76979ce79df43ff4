namespace Bnb.Engine.Events;

/// <summary>
/// What a running job tells whoever started it. The engine prints nothing and logs nothing; the command line turns these into
/// a log, a progress line and the last line of an error, another caller into whatever it likes.
/// </summary>
public interface IRunEvents
{
    /// <summary>One sentence, names from files escaped for display. Called from the thread that runs the job.</summary>
    void Message(MessageLevel level, string text);

    /// <summary>Work begins whose length is known; what is returned is disposed of when it ends, however it ends.</summary>
    /// <param name="progress">Counters that may be read from any thread meanwhile.</param>
    IDisposable? Watch(PipelineProgress progress);

    /// <summary>What is on disk should the job stop now; replaces what was said before.</summary>
    void Outcome(string text);
}
