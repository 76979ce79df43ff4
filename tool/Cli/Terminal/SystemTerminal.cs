using System.Text;

namespace Bnb.Cli.Terminal;

/// <summary>The process's own streams.</summary>
internal sealed class SystemTerminal : ITerminal
{
    // A redirected table has no screen to fit: wide enough that tensor names are not folded.
    private const int RedirectedWidth = 200;
    private const int NarrowestTable = 60;

    public SystemTerminal()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        Out = new StreamWriter(new GuardedStream(Console.OpenStandardOutput(), mayLose: false), utf8) { AutoFlush = true };
        Error = new StreamWriter(new GuardedStream(Console.OpenStandardError(), mayLose: true), utf8) { AutoFlush = true };
    }

    public TextWriter Out { get; }

    public TextWriter Error { get; }

    public bool OutIsInteractive { get; } = !Console.IsOutputRedirected && IsCapableTerminal();

    public bool ErrorIsInteractive { get; } = !Console.IsErrorRedirected && IsCapableTerminal();

    public bool Color { get; } = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));

    public int Width => OutIsInteractive ? Math.Max(NarrowestTable, ScreenWidth()) : RedirectedWidth;

    private static bool IsCapableTerminal() => Environment.GetEnvironmentVariable("TERM") is not "dumb";

    private static int ScreenWidth()
    {
        try
        {
            return Console.WindowWidth;
        }
        catch (IOException)
        {
            return RedirectedWidth;
        }
    }
}
