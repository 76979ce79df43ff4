namespace Bnb.Cli.Terminal;

/// <summary>
/// A thread that shows something again and again until it is disposed of. What goes wrong in it ends the showing with a warning and
/// never the run, which may be hours old and owes its user a result and not a display.
/// </summary>
internal sealed class ProgressThread : IDisposable
{
    private readonly ITerminal _terminal;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;

    /// <param name="terminal">Where the warning goes.</param>
    /// <param name="interval">Time between two calls of <paramref name="show"/>.</param>
    /// <param name="show">Called on the thread.</param>
    /// <param name="clear">Called on the thread once, at the end.</param>
    public ProgressThread(ITerminal terminal, TimeSpan interval, Action show, Action? clear = null)
    {
        _terminal = terminal;
        _thread = new Thread(() => Guard(interval, show, clear)) { Name = "progress", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Waits until the thread has ended; nothing is shown after that.</summary>
    public void Dispose()
    {
        if (_stop.IsSet) return;
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
    }

    private void Guard(TimeSpan interval, Action show, Action? clear)
    {
        try
        {
            while (!_stop.Wait(interval)) show();
            clear?.Invoke();
        }
        catch (OutputLostException)
        {
            // The result cannot be printed either; that is where it becomes an error.
        }
        catch (Exception bug)
        {
            _terminal.Error.WriteLine($"warning: progress is not shown any more: {bug.GetType().Name}: {bug.Message}");
        }
    }
}
