using System.Diagnostics;
using Bnb.Engine.Events;
using Bnb.Formats.Primitives;
using Spectre.Console;

namespace Bnb.Cli.Terminal;

/// <summary>
/// Shows a running pipeline on stderr from a thread of its own: a redrawn bar on a screen, a plain line now and then when
/// redirected. The pipeline knows nothing of it.
/// </summary>
internal sealed class ProgressDisplay : IDisposable
{
    private const int TensorWidth = 48;
    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(5);

    private readonly ITerminal _terminal;
    private readonly PipelineProgress _progress;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;

    private ProgressDisplay(ITerminal terminal, PipelineProgress progress)
    {
        (_terminal, _progress) = (terminal, progress);
        _thread = new Thread(terminal.ErrorIsInteractive ? ShowLive : ShowPlain) { Name = "progress", IsBackground = true };
        _thread.Start();
    }

    public static ProgressDisplay Start(ITerminal terminal, PipelineProgress progress) => new(terminal, progress);

    public void Dispose()
    {
        if (_stop.IsSet) return;
        _stop.Set();
        _thread.Join();
        _stop.Dispose();
    }

    private ProgressLine Now() =>
        new(_progress.BytesDone, _progress.BytesTotal, _watch.Elapsed, DisplayText.Escape(_progress.Current));

    private void ShowPlain()
    {
        while (!_stop.Wait(PlainInterval)) _terminal.Error.WriteLine(Now().ToString());
    }

    private void ShowLive()
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = _terminal.Color ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.Yes,
            Out = new AnsiConsoleOutput(_terminal.Error),
        });
        ProgressLine line = Now();
        // AutoRefresh off: this thread draws, so nothing is drawn after Dispose.
        console.Progress().AutoRefresh(false).AutoClear(true).HideCompleted(true)
            .Columns(
                new ProgressBarColumn { Width = 24 },
                new PercentageColumn(),
                new TextColumn(() => string.Join("  ", new[] { line.Bytes, line.Rate, line.TimeLeft }.Where(part => part.Length > 0))),
                new TextColumn(() => Shorten(line.Tensor)))
            .Start(context =>
            {
                ProgressTask task = context.AddTask("quantize", maxValue: 1);
                while (!_stop.Wait(LiveInterval))
                {
                    line = Now();
                    // Never quite full: a finished task would be hidden before the last shard is on disk.
                    task.Value = Math.Min(line.Share, 0.999);
                    context.Refresh();
                }
            });
    }

    private static string Shorten(string name) => name.Length <= TensorWidth ? name : "..." + name[^(TensorWidth - 3)..];

    private sealed class TextColumn(Func<string> text) : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override Spectre.Console.Rendering.IRenderable Render(
            Spectre.Console.Rendering.RenderOptions options, ProgressTask task, TimeSpan deltaTime) => new Text(text());
    }
}
