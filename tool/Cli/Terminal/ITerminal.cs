namespace Bnb.Cli.Terminal;

/// <summary>
/// Where a command's words go. Results are written to <see cref="Out"/>, talk and progress to <see cref="Error"/>;
/// tests put string writers here.
/// </summary>
internal interface ITerminal
{
    TextWriter Out { get; }

    TextWriter Error { get; }

    /// <summary>True when <see cref="Out"/> is a screen that takes colours (not redirected, no NO_COLOR).</summary>
    bool OutIsInteractive { get; }

    /// <summary>True when <see cref="Error"/> is a screen on which a line can be redrawn.</summary>
    bool ErrorIsInteractive { get; }

    /// <summary>True unless NO_COLOR is set (no-color.org: any non-empty value).</summary>
    bool Color { get; }

    /// <summary>Columns available for tables.</summary>
    int Width { get; }
}
