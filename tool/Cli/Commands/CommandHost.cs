using System.CommandLine;
using System.CommandLine.Parsing;
using Bnb.Cli.Errors;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Bnb.Engine.Text;
using Serilog.Core;

namespace Bnb.Cli.Commands;

/// <summary>
/// What all commands share: the common options, the log, cancellation, and turning whatever is thrown into a message and
/// an exit code. System.CommandLine only parses and prints help; its own error and signal handling is not used.
/// </summary>
internal sealed class CommandHost(ITerminal terminal, SignalCancellation signals)
{
    private const int MostTypos = 2;
    private static readonly string[] Units = ["B", "kB", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "%"];

    /// <summary>Adds the common options to <paramref name="command"/> and makes <paramref name="body"/> its action.</summary>
    public void Attach(Command command, Action<ParseResult, CommandContext> body) => Attach(command, (parsed, context) =>
    {
        body(parsed, context);
        return ExitCode.Done;
    });

    /// <summary>The same for a command that can end in more than one good way.</summary>
    public void Attach(Command command, Func<ParseResult, CommandContext, ExitCode> body)
    {
        Option<bool> json = CommonOptions.Json();
        Option<Verbosity> verbosity = CommonOptions.VerbosityLevel();
        Option<string?> logFile = CommonOptions.LogFile();
        command.Add(json);
        command.Add(verbosity);
        command.Add(logFile);
        command.SetAction(parsed =>
            (int)Run(parsed, parsed.GetValue(json), parsed.ValueOr(verbosity, Verbosity.Normal), parsed.GetValue(logFile), body));
    }

    /// <summary>Reports a mistake in the command line itself: one error, one hint, no page of help.</summary>
    /// <param name="args">The words as given; with --json among them the error is said as JSON too.</param>
    /// <param name="recipe">The recipe file that the mistake is in; null when it was typed.</param>
    /// <param name="all">Makes all commands, of which the one that was parsed with may be the only one.</param>
    public ExitCode Usage(ParseResult parsed, IReadOnlyList<string> args, string? recipe, Func<Command> all)
    {
        string message = Mistake(parsed).TrimEnd('.');
        string help = $"dotnet bnb {string.Join(' ', CommandPath(parsed.CommandResult))}--help";
        string? meant = SecondPath(parsed) ?? args.Select(word => Suggestion(word, parsed.CommandResult.Command)).FirstOrDefault(word => word is not null);
        var usage = new UserErrorException(ExitCode.Usage, "USAGE", message)
        {
            File = recipe,
            Action = recipe is not null ? "correct the recipe file" : meant is not null ? $"did you mean {meant}? See {help}" : Remedy(parsed, all) is { } remedy ? $"{remedy}; see {help}" : $"see {help}",
        };
        return Report(usage, args.Contains("--json"), "nothing was written");
    }

    /// <summary>The one mistake of a command line that is reported.</summary>
    // A typo in a command's name also makes the name "missing": the word that was not understood says more.
    public static string Mistake(ParseResult parsed) =>
        (parsed.Errors.FirstOrDefault(error => error.Message.StartsWith("Unrecognized", StringComparison.Ordinal)) ?? parsed.Errors[0]).Message;

    /// <summary>Reports what made it pointless to look at the command line any further.</summary>
    public ExitCode Refuse(UserErrorException error, IReadOnlyList<string> args) => Report(error, args.Contains("--json"), "nothing was written");

    private ExitCode Run(ParseResult parsed, bool json, Verbosity verbosity, string? logFile, Func<ParseResult, CommandContext, ExitCode> body)
    {
        Logger log;
        try
        {
            log = Talk.Create(terminal, verbosity, logFile);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            var denied = new UserErrorException(ExitCode.OutputRefused, "LOG-FILE", $"the log file cannot be written: {failure.Message}", failure) { File = logFile, Action = "name another --log-file" };
            return Report(denied, json, "nothing was written");
        }

        try
        {
            var context = new CommandContext(terminal, log, verbosity, json, signals.Token);
            try
            {
                ExitCode exit = body(parsed, context);
                if (json) terminal.Out.Write(ErrorReport.JsonExit(exit, null));
                return exit;
            }
            catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
            {
                var stopped = new UserErrorException(signals.Exit, "STOPPED", "stopped on request");
                return Report(stopped, json, context.Outcome);
            }
            catch (Exception failure)
            {
                ExitCode exit = Report(ErrorMapping.ToUserError(failure) ?? LastResort.Bug(failure), json, context.Outcome);
                // After the report: without memory or descriptors even a log may fail.
                log.Debug(failure, "stopped by");
                return exit;
            }
        }
        finally
        {
            Talk.Close(log);
        }
    }

    private ExitCode Report(UserErrorException error, bool json, string outcome)
    {
        terminal.Error.Write(ErrorReport.Text(error, outcome, terminal.ErrorWidth));
        if (!json) return error.Exit;
        try
        {
            terminal.Out.Write(ErrorReport.JsonExit(error.Exit, error));
        }
        catch (OutputLostException)
        {
            // stdout is gone; the message went to stderr and the exit code stands.
        }

        return error.Exit;
    }

    /// <summary>The command or option nearest to a word that is neither, when it is near enough to be a typo.</summary>
    private static string? Suggestion(string given, Command command)
    {
        // --bits=4 is --bits with a value.
        string word = given.StartsWith('-') ? given.Split('=', ':')[0] : given;
        List<string> known = [.. command.Subcommands.Select(sub => sub.Name), .. command.Options.Select(option => option.Name)];
        bool looksLikeOne = word.StartsWith('-') || command.Subcommands.Count > 0;
        if (!looksLikeOne || known.Contains(word) || command.Options.Any(option => option.Aliases.Contains(word))) return null;
        return (Synonyms.Option(word) is { } synonym && (!synonym.StartsWith('-') || known.Contains(synonym.Split(' ')[0])) ? synonym : null)
            ?? Negated(word, command)
            ?? command.Options.SelectMany(option => option.Aliases).FirstOrDefault(alias => word.Length == 2 && alias.Equals(word, StringComparison.OrdinalIgnoreCase))
            ?? (command.Subcommands.Count > 0 ? Synonyms.Command(word) ?? known.FirstOrDefault(name => word.Length > 2 && name.StartsWith(word, StringComparison.OrdinalIgnoreCase)) : null)
            ?? NearestNames.Within(word, known, MostTypos);
    }

    /// <summary>What helps against a mistake that no near word explains.</summary>
    private static string? Remedy(ParseResult parsed, Func<Command> all)
    {
        Option? twice = parsed.CommandResult.Command.Options.FirstOrDefault(option =>
            option.Arity.MaximumNumberOfValues == 1 && !option.AllowMultipleArgumentsPerToken && parsed.GetResult(option) is { IdentifierTokenCount: > 1 });
        if (twice is not null && Mistake(parsed).Contains("expects a single argument", StringComparison.Ordinal)) return $"give {twice.Name} once";
        if (parsed.UnmatchedTokens is [{ Length: > 1 } option, ..] && option[0] == '-' && OwnersOf(option, all()) is { Length: > 0 } owners) return $"{option.Split('=', ':')[0]} is an option of {owners}";
        int paths = parsed.CommandResult.Command.Arguments.Count;
        return paths > 0 && parsed.UnmatchedTokens is [[not '-', ..], ..] ? $"{parsed.CommandResult.Command.Name} takes {(paths == 1 ? "one path" : $"{paths} paths")}; one with spaces needs quotes" : null;
    }

    /// <summary>The commands that have an option.</summary>
    private static string OwnersOf(string word, Command root)
    {
        string name = word.Split('=', ':')[0];
        if (root.Options.Any(option => option.Name == name)) return "dotnet bnb itself";
        string[] owners = [.. root.Subcommands.Where(command => command.Options.Any(option => option.Name == name)).Select(command => command.Name)];
        return owners.Length > 3 ? "commands: give one first" : string.Join(" and ", owners);
    }

    /// <summary><c>--no-double-quant</c>, as many tools have it.</summary>
    private static string? Negated(string word, Command command)
    {
        const string Prefix = "--no-";
        if (!word.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)) return null;
        Option? option = command.Options.FirstOrDefault(known => known.Name == "--" + word[Prefix.Length..].ToLowerInvariant().Replace('_', '-'));
        if (option is null) return null;
        return option.HelpName == "BOOL" ? $"{option.Name} false" : option.Arity.MaximumNumberOfValues == 0 || option.ValueType == typeof(bool) ? $"the command without {option.Name}" : null;
    }

    /// <summary>Most tools take the output, or what to compare with, as a second path.</summary>
    private static string? SecondPath(ParseResult parsed)
    {
        Option? path = parsed.CommandResult.Command.Options.FirstOrDefault(option => option.Name is "--output" or "--source");
        // 5 GB with a space in it is no path.
        if (parsed.UnmatchedTokens is [var unit] && Units.Contains(unit)) return $"a size without a space, as 5{unit}";
        bool isMissing = path is not null && parsed.GetResult(path) is null or { Tokens.Count: 0 };
        return isMissing && parsed.UnmatchedTokens is [{ Length: > 0 } word] && word[0] != '-' ? $"{path!.Name} {word}" : null;
    }

    private static IEnumerable<string> CommandPath(CommandResult result) =>
        result.Parent is CommandResult parent ? [.. CommandPath(parent), result.Command.Name + " "] : [];
}
