using System.Globalization;
using System.Text;

namespace Bnb.Cli.Terminal;

/// <summary>The process's own streams.</summary>
internal sealed class SystemTerminal : ITerminal
{
    private const int Narrowest = 20;
    private static readonly bool IsDumb = Environment.GetEnvironmentVariable("TERM") is "dumb";
    private static readonly int? GivenWidth = ParseColumns(Environment.GetEnvironmentVariable("COLUMNS"));

    public SystemTerminal()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        Out = new StreamWriter(new GuardedStream(Console.OpenStandardOutput(), mayLose: false), utf8) { AutoFlush = true };
        Error = new StreamWriter(new GuardedStream(Console.OpenStandardError(), mayLose: true), utf8) { AutoFlush = true };
    }

    public TextWriter Out { get; }

    public TextWriter Error { get; }

    public bool OutIsInteractive { get; } = !Console.IsOutputRedirected && !IsDumb;

    public bool ErrorIsInteractive { get; } = !Console.IsErrorRedirected && !IsDumb;

    public bool Reflows { get; } = IsReflowing(Environment.GetEnvironmentVariable);

    public bool Color { get; } = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    public bool Plain => IsDumb;

    public int Width => WidthOf(Console.IsOutputRedirected);

    public int ErrorWidth => WidthOf(Console.IsErrorRedirected);

    /// <summary>xterm itself, rxvt, the Linux console and GNU screen keep lines as they were drawn; tmux calls itself a screen too.</summary>
    public static bool IsReflowing(Func<string, string?> variable)
    {
        string term = variable("TERM") ?? "";
        bool keeps = term is "linux" || term.StartsWith("rxvt", StringComparison.Ordinal)
            || (variable("TMUX") is null && (term.StartsWith("screen", StringComparison.Ordinal) || variable("XTERM_VERSION") is not null));
        return !keeps;
    }

    /// <summary>The number in COLUMNS, or null when it is not one.</summary>
    public static int? ParseColumns(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int columns) && columns > 0 ? Math.Clamp(columns, Narrowest, ITerminal.Unlimited) : null;

    /// <summary>A window knows its width better than a COLUMNS that was exported before the window was resized.</summary>
    private static int WidthOf(bool redirected) => (redirected ? null : WindowWidth()) ?? GivenWidth ?? ITerminal.Unlimited;

    private static int? WindowWidth()
    {
        try
        {
            return Console.WindowWidth is var columns and > 0 ? Math.Max(Narrowest, columns) : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
