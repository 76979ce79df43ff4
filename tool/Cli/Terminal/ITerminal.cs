namespace Bnb.Cli.Terminal;

/// <summary>
/// Where a command's words go. Results are written to <see cref="Out"/>, talk and progress to <see cref="Error"/>;
/// tests put string writers here.
/// </summary>
internal interface ITerminal
{
    /// <summary>Columns of something that is no screen: nothing is folded or cut for it.</summary>
    const int Unlimited = 1 << 16;

    TextWriter Out { get; }

    TextWriter Error { get; }

    /// <summary>True when <see cref="Out"/> is a screen that takes colours (not redirected, no NO_COLOR).</summary>
    bool OutIsInteractive { get; }

    /// <summary>True when <see cref="Error"/> is a screen on which a line can be redrawn.</summary>
    bool ErrorIsInteractive { get; }

    /// <summary>True when a window that becomes narrower wraps the lines it shows, as nearly all do; others cut them.</summary>
    bool Reflows { get; }

    /// <summary>True unless NO_COLOR is set (no-color.org: any non-empty value).</summary>
    bool Color { get; }

    /// <summary>True for TERM=dumb: an editor's shell or a screen reader, to which lines made of dashes are noise.</summary>
    bool Plain { get; }

    /// <summary>Columns of <see cref="Out"/>; <see cref="Unlimited"/> when nobody says. Asked anew each time: windows are resized.</summary>
    int Width { get; }

    /// <summary>Columns of <see cref="Error"/>, likewise.</summary>
    int ErrorWidth { get; }
}
