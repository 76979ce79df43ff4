using System.CommandLine;
using Bnb.Cli.Errors;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Errors;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Commands;

/// <summary>The whole tool as a function from arguments and terminal to an exit code; tests call it as <c>Main</c> does.</summary>
internal static class Application
{
    private const string Purpose = "Quantizes model checkpoints for bitsandbytes and compressed-tensors, and proves the result: offline, without Python";

    private static readonly NamedCommand[] All =
    [
        new("quantize", QuantizeCommand.Create),
        new("plan", PlanCommand.Create),
        new("init", InitCommand.Create),
        new("finish", FinishCommand.Create),
        new("verify", VerifyCommand.Create),
        new("dequantize", DequantizeCommand.Create),
        new("inspect", InspectCommand.Create),
        new("explain", ExplainCommand.Create),
        new("lint", LintCommand.Create),
        new("diff", DiffCommand.Create),
        new("evaluate", EvaluateCommand.Create),
        new("devices", DevicesCommand.Create),
        new("codes", CodesCommand.Create),
        new("demo", DemoCommand.Create),
    ];

    public static ExitCode Run(IReadOnlyList<string> args, ITerminal terminal, SignalCancellation signals)
    {
        try
        {
            // Answered without building the command tree: scripts ask for it often.
            if (args is ["--version"])
            {
                terminal.Out.WriteLine(ToolVersion.Number);
                return ExitCode.Done;
            }

            // "help" and "help quantize" are what people try first.
            if (args is ["help", ..]) args = [.. args.SkipWhile(word => word == "help"), "--help"];
            var host = new CommandHost(terminal, signals);
            RootCommand root = args is [{ } name, ..] && All.FirstOrDefault(known => known.Name == name) is { } only ? CreateRoot(host, terminal, only) : CreateRoot(host, terminal);
            IReadOnlyList<string> typed = args;
            try
            {
                args = RecipeArguments.Expand(args, root);
            }
            catch (UserErrorException refused)
            {
                return host.Refuse(refused, args);
            }

            // Behind a word that is no command nothing counts: --help would be answered as if the word were not there.
            bool isNoCommand = args is [[not ('-' or '['), ..] word, ..] && root.Subcommands.All(command => command.Name != word);
            ParseResult parsed = root.Parse(isNoCommand ? [args[0]] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (args.Count == 0)
            {
                parsed = CreateRoot(host, terminal).Parse(["--help"]);
                parsed.Invoke(new InvocationConfiguration { Output = terminal.Out, Error = terminal.Error });
                return ExitCode.Usage;
            }

            if (parsed.Errors.Count > 0) return host.Usage(parsed, args, RecipeArguments.Culprit(CommandHost.Mistake(parsed), typed, root), () => CreateRoot(host, terminal));
            return (ExitCode)parsed.Invoke(new InvocationConfiguration
            {
                Output = terminal.Out,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (OutputLostException lost)
        {
            // Commands report their own errors: what arrives here is help or version text that could not be printed.
            terminal.Error.WriteLine($"error[STDOUT]: {lost.Message}");
            return ExitCode.IoError;
        }
        catch (Exception failure)
        {
            // The report of an error failed itself, as it may without memory or descriptors: end like an error all the same,
            // not like a crash.
            UserErrorException? known = ErrorMapping.ToUserError(failure);
            terminal.Error.WriteLine($"error[{known?.Code ?? "INTERNAL"}]: {failure.GetType().Name}: {DisplayText.Escape(failure.Message)}");
            return known?.Exit ?? ExitCode.InternalError;
        }
    }

    /// <summary>All commands with their options; help, completion and the manual page are made from it.</summary>
    internal static RootCommand CreateRoot(CommandHost host, ITerminal terminal)
    {
        RootCommand root = new(Purpose);
        foreach (NamedCommand command in All) root.Add(command.Create(host));
        root.Add(CompletionCommand.Create(terminal, () => root));
        root.Add(CompletionCommand.CreateManual(terminal, () => root));
        Examples.AddTo(root, terminal);
        return root;
    }

    /// <summary>The same with one command: the others' options are built for nobody when a run names its command.</summary>
    private static RootCommand CreateRoot(CommandHost host, ITerminal terminal, NamedCommand only)
    {
        RootCommand root = new(Purpose) { only.Create(host) };
        Examples.AddTo(root, terminal);
        return root;
    }

    /// <summary>A command before it is built.</summary>
    private sealed record NamedCommand(string Name, Func<CommandHost, Command> Create);
}
