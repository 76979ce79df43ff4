using Bnb.Tool.Options;
using Bnb.Tool.Terminal;
using Serilog;

namespace Bnb.Tool.Commands;

/// <summary>What every command gets besides its own options.</summary>
internal sealed record CommandContext(ITerminal Terminal, ILogger Log, Verbosity Verbosity, bool Json, CancellationToken Cancellation)
{
    /// <summary>What is on disk should the command stop now; the last line of an error. Commands replace it when that changes.</summary>
    public string Outcome { get; set; } = "nothing was written";
}
