using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Events;
using Bnb.Engine.Sources;
using Bnb.Formats.Primitives;
using Serilog;

namespace Bnb.Cli.Commands;

/// <summary>What every command gets besides its own options.</summary>
internal sealed record CommandContext(ITerminal Terminal, ILogger Log, Verbosity Verbosity, bool Json, CancellationToken Cancellation)
{
    /// <summary>What is on disk should the command stop now; the last line of an error. Commands replace it when that changes.</summary>
    public string Outcome { get; set; } = "nothing was written";

    /// <summary>Counts a file among what is on disk, however the command ends.</summary>
    public void HasWritten(string path)
    {
        const string Written = "written: ";
        Outcome = Outcome.StartsWith(Written, StringComparison.Ordinal) ? $"{Outcome}, {DisplayText.Escape(path)}" : Written + DisplayText.Escape(path);
    }

    /// <summary>Where jobs of the engine report to.</summary>
    public IRunEvents Events => new TerminalEvents(this);

    /// <summary>The path of a checkpoint, or of a part of one, that a user named; see <see cref="SourceLocator"/>.</summary>
    public string Locate(string text) => Say(text, SourceLocator.FromEnvironment().Locate(text));

    /// <summary>The same where one shard of several is not enough.</summary>
    public string LocateWhole(string text) => Say(text, SourceLocator.FromEnvironment().LocateWhole(text));

    private string Say(string text, SourceLocation found)
    {
        if (found.Model is { } model && found.Path != text)
            Events.Message(MessageLevel.Information, $"{DisplayText.Escape(text)} is {model} in the Hugging Face cache: {DisplayText.Escape(found.Path)}");
        return found.Path;
    }
}
