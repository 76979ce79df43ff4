using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Events;
using Serilog;

namespace Bnb.Cli.Commands;

/// <summary>What every command gets besides its own options.</summary>
internal sealed record CommandContext(ITerminal Terminal, ILogger Log, Verbosity Verbosity, bool Json, CancellationToken Cancellation)
{
    /// <summary>What is on disk should the command stop now; the last line of an error. Commands replace it when that changes.</summary>
    public string Outcome { get; set; } = "nothing was written";

    /// <summary>Where jobs of the engine report to.</summary>
    public IRunEvents Events => new TerminalEvents(this);
}
