using System.Diagnostics;
using System.Globalization;
using Bnb.Engine.Events;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Terminal;

/// <summary>
/// Shows a running pipeline on stderr from a thread of its own: a redrawn line on a screen, a plain line now and then when
/// redirected. The pipeline knows nothing of it.
/// </summary>
internal sealed class ProgressDisplay : IDisposable
{
    /// <summary>To the first column, and nothing on the line.</summary>
    public const string ClearLine = "\r\u001b[K";
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);

    private readonly ITerminal _terminal;
    private readonly PipelineProgress _progress;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly ProgressThread _thread;
    private int _drawn;

    private ProgressDisplay(ITerminal terminal, PipelineProgress progress)
    {
        (_terminal, _progress) = (terminal, progress);
        _thread = terminal.ErrorIsInteractive
            ? new ProgressThread(terminal, LiveInterval, ShowLive, () => terminal.Error.Write(Cleared(terminal.ErrorWidth)))
            : new ProgressThread(terminal, PlainInterval, () => terminal.Error.WriteLine(Now().ToString()));
    }

    public static ProgressDisplay Start(ITerminal terminal, PipelineProgress progress) => new(terminal, progress);

    public void Dispose() => _thread.Dispose();

    private ProgressLine Now() =>
        new(_progress.BytesDone, _progress.BytesTotal, _watch.Elapsed, DisplayText.Escape(_progress.Current));

    /// <summary>Clears a frame: its line, and in a window that became narrower since the rows that the terminal wrapped it into.</summary>
    /// <param name="drawn">Columns of the frame.</param>
    /// <param name="width">Columns of the window now.</param>
    public static string Clear(int drawn, int width)
    {
        int rows = (Math.Max(1, drawn) - 1) / Math.Max(1, width);
        return rows == 0 ? ClearLine : string.Create(CultureInfo.InvariantCulture, $"\r\u001b[{rows}A\u001b[J");
    }

    /// <summary>
    /// One write per frame, cleared first: whatever the width was a moment ago, nothing of the last frame is left. The last column
    /// stays empty, because some terminals wrap when it is written.
    /// </summary>
    private void ShowLive()
    {
        int width = _terminal.ErrorWidth;
        string frame = Now().Fit(width - 1);
        _terminal.Error.Write(Cleared(width) + frame);
        _drawn = frame.Length;
    }

    private string Cleared(int width) => _terminal.Reflows ? Clear(_drawn, width) : ClearLine;
}
