using System.Diagnostics;
using Bnb.Engine.Events;
using Bnb.Engine.Reports;

namespace Bnb.Cli.Terminal;

/// <summary>Prints a running pipeline as JSON lines on stdout, one a second, from a thread of its own.</summary>
internal sealed class JsonProgress : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private readonly IDisposable? _beside;

    /// <param name="terminal">Nothing else may write to its stdout until this is disposed of.</param>
    /// <param name="progress">What is shown.</param>
    /// <param name="interval">Null: a second.</param>
    /// <param name="beside">What shows the same on stderr; disposed of with this.</param>
    public JsonProgress(ITerminal terminal, PipelineProgress progress, TimeSpan? interval = null, IDisposable? beside = null)
    {
        _beside = beside;
        var watch = Stopwatch.StartNew();
        _thread = new Thread(() =>
        {
            try
            {
                while (!_stop.Wait(interval ?? Interval)) terminal.Out.Write(ProgressJson.Of(progress, watch.Elapsed));
            }
            catch (OutputLostException)
            {
                // The result cannot be printed either; that is where it becomes an error.
            }
        })
        { Name = "progress", IsBackground = true };
        _thread.Start();
    }

    public void Dispose()
    {
        if (_stop.IsSet) return;
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
        _beside?.Dispose();
    }
}
