using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;

namespace Bnb.Cli.Errors;

/// <summary>
/// For exceptions that nobody caught, on whatever thread: without it the runtime prints a stack and aborts (134), which looks like a
/// crash. Finished weight files stay in the staging folder, as after a kill, and the same command goes on with them.
/// </summary>
internal static class LastResort
{
    public static void Install(ITerminal terminal, bool json) =>
        AppDomain.CurrentDomain.UnhandledException += (_, failed) => Environment.Exit((int)Report(failed.ExceptionObject, terminal, json));

    /// <summary>Says what happened, in the form of every other error.</summary>
    /// <returns>How the process has to end.</returns>
    public static ExitCode Report(object failure, ITerminal terminal, bool json)
    {
        var exception = failure as Exception;
        UserErrorException error = exception is null ? Bug(failure.GetType().Name) : ErrorMapping.ToUserError(exception) ?? Bug(exception);
        return Say(error, terminal, json, "the same command goes on from what is finished");
    }

    /// <summary>An error before there is a command that could report it.</summary>
    public static ExitCode Say(UserErrorException error, ITerminal terminal, bool json, string outcome)
    {
        terminal.Error.Write(ErrorReport.Text(error, outcome, terminal.ErrorWidth));
        if (json) terminal.Out.Write(ErrorReport.JsonExit(error.Exit, error));
        return error.Exit;
    }

    /// <summary>An exception that no code of ours expected.</summary>
    public static UserErrorException Bug(Exception failure) => failure is AggregateException { InnerExceptions: [var only] }
        ? Bug(only)
        : new UserErrorException(ExitCode.InternalError, "INTERNAL", $"{failure.GetType().Name}: {failure.Message}", failure) { Action = NextStep.For(ExitCode.InternalError) };

    private static UserErrorException Bug(string what) => new(ExitCode.InternalError, "INTERNAL", what);
}
