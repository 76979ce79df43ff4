using System.Diagnostics;
using Bnb.Engine.Events;
using Bnb.Engine.Reports;

namespace Bnb.Cli.Terminal;

/// <summary>Prints a running pipeline as JSON lines on stdout, one a second, from a thread of its own.</summary>
internal sealed class JsonProgress : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ProgressThread _thread;
    private readonly IDisposable? _beside;

    /// <param name="terminal">Nothing else may write to its stdout until this is disposed of.</param>
    /// <param name="progress">What is shown.</param>
    /// <param name="interval">Null: a second.</param>
    /// <param name="beside">What shows the same on stderr; disposed of with this.</param>
    public JsonProgress(ITerminal terminal, PipelineProgress progress, TimeSpan? interval = null, IDisposable? beside = null)
    {
        _beside = beside;
        var watch = Stopwatch.StartNew();
        _thread = new ProgressThread(terminal, interval ?? Interval, () => terminal.Out.Write(ProgressJson.Of(progress, watch.Elapsed)));
    }

    public void Dispose()
    {
        _thread.Dispose();
        _beside?.Dispose();
    }
}
