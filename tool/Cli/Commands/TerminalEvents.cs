using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Events;
using Serilog.Events;

namespace Bnb.Cli.Commands;

/// <summary>Turns what a job of the engine tells into the log, the progress display and the last line of an error.</summary>
internal sealed class TerminalEvents(CommandContext context) : IRunEvents
{
    public void Message(MessageLevel level, string text)
    {
        LogEventLevel logged = level switch
        {
            MessageLevel.Warning => LogEventLevel.Warning,
            MessageLevel.Information => LogEventLevel.Information,
            _ => LogEventLevel.Debug,
        };
        // As a property: names from files may hold braces.
        context.Log.Write(logged, "{Text:l}", text);
    }

    public IDisposable? Watch(PipelineProgress progress)
    {
        ProgressDisplay? shown = context.Verbosity == Verbosity.Quiet ? null : ProgressDisplay.Start(context.Terminal, progress);
        return context.Json ? new JsonProgress(context.Terminal, progress, beside: shown) : shown;
    }

    public void Outcome(string text) => context.Outcome = text;
}
