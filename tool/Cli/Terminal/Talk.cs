using Bnb.Cli.Options;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace Bnb.Cli.Terminal;

/// <summary>
/// The log of one command: short lines on stderr by <c>--verbosity</c>, everything with time stamps in <c>--log-file</c>.
/// </summary>
internal static class Talk
{
    /// <exception cref="IOException">The log file cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static Logger Create(ITerminal terminal, Verbosity verbosity, string? logFile)
    {
        LogEventLevel console = verbosity switch
        {
            Verbosity.Quiet => LogEventLevel.Fatal,
            Verbosity.Normal => LogEventLevel.Warning,
            Verbosity.Detailed => LogEventLevel.Information,
            _ => LogEventLevel.Debug,
        };
        LoggerConfiguration configuration = new LoggerConfiguration().MinimumLevel.Is(logFile is null ? console : LogEventLevel.Debug);
        configuration = configuration.WriteTo.Sink(new TerminalSink(terminal), console);
        if (logFile is not null)
        {
            ThrowIfUnwritable(logFile);
            SayOnceWhenLost(terminal, logFile);
            configuration = configuration.WriteTo.File(
                logFile,
                LogEventLevel.Debug,
                outputTemplate: "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffzzz} {Level:u3} {Message:l}{NewLine}{Exception}",
                formatProvider: System.Globalization.CultureInfo.InvariantCulture,
                fileSizeLimitBytes: null);
        }

        return configuration.CreateLogger();
    }

    /// <summary>Ends the log. What it holds back is written now, and a full disk is no failure of a run that is over.</summary>
    public static void Close(Logger log)
    {
        try
        {
            log.Dispose();
        }
        catch (IOException lost)
        {
            Serilog.Debugging.SelfLog.WriteLine("{0}", lost.Message);
        }
    }

    /// <summary>Serilog goes on without a file it cannot open; a user who asked for one wants to know.</summary>
    private static void ThrowIfUnwritable(string path)
    {
        // Opening a pipe would wait for a reader without a word.
        if (!NamedFile.IsOfTheShell(path) && Path.Exists(path) && NamedFile.IsIrregular(path)) throw new IOException("this is a pipe or a device");
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (!Directory.Exists(folder) && !Directory.Exists(Path.GetDirectoryName(folder))) throw new IOException($"there is no folder {Path.GetDirectoryName(folder)}");
        if (Directory.Exists(path)) throw new IOException("there is a folder of this name");
        Directory.CreateDirectory(folder);
        if (ModelFile.IsAt(path)) throw new IOException("this file belongs to a model");
        File.OpenHandle(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite).Dispose();
    }

    /// <summary>Nor does it say that a line could not be written, on a full disk for example.</summary>
    private static void SayOnceWhenLost(ITerminal terminal, string logFile)
    {
        int said = 0;
        Serilog.Debugging.SelfLog.Enable(_ =>
        {
            if (Interlocked.Exchange(ref said, 1) == 0)
                terminal.Error.WriteLine($"warning: the log file is not complete, something could not be written to it: {DisplayText.Escape(logFile)}");
        });
    }

    private sealed class TerminalSink(ITerminal terminal) : ILogEventSink
    {
        private const int Indent = 2;

        public void Emit(LogEvent logEvent)
        {
            string level = logEvent.Level.ToString().ToLowerInvariant();
            string line = $"{level}: {logEvent.RenderMessage(System.Globalization.CultureInfo.InvariantCulture)}";
            // The progress line may stand there; it is drawn anew a moment later.
            if (terminal.ErrorIsInteractive) terminal.Error.Write(ProgressDisplay.ClearLine);
            terminal.Error.WriteLine(DisplayWidth.Wrap(line, terminal.ErrorWidth, Indent));
        }
    }
}
