using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Comparing;
using Bnb.Engine.Errors;
using Bnb.Engine.Reports;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb diff A B</c>: what differs between two checkpoints, quantized or not, in any mix.</summary>
internal static class DiffCommand
{
    public static Command Create(CommandHost host)
    {
        var a = new Argument<string>("A") { Description = "Checkpoint folder, diffusers pipeline or .safetensors file; errors are relative to it", CustomParser = Choice.FilePath };
        var b = new Argument<string>("B") { Description = "Checkpoint folder, diffusers pipeline or .safetensors file to compare with it", CustomParser = Choice.FilePath };
        Option<string[]> include = CommonOptions.Pattern("--include", "Compare only tensors whose name matches this glob, or after re: this regular expression; repeatable, the last matching --include or --exclude wins (default: all)");
        Option<string[]> exclude = CommonOptions.Pattern("--exclude", "Do not compare tensors whose name matches this glob, or after re: this regular expression; repeatable, the last match wins (default: none)");
        var all = new Option<bool>("--all") { Description = "List equal tensors too (default: off)" };
        var threads = new Option<int>("--threads")
        {
            Description = "Worker threads; the result does not depend on it (default: one per processor)",
            HelpName = "N",
            CustomParser = Choice.Number(1, 1024),
        };
        var maxMemory = new Option<long>("--max-memory")
        {
            Description = "Ceiling for buffers (default: 256MiB)",
            HelpName = "SIZE",
            CustomParser = Choice.Size,
        };
        var command = new Command("diff", "Compare two checkpoints, quantized or not, tensor by tensor")
        {
            a, b, include, exclude, all, threads, maxMemory,
        };
        host.Attach(command, (parsed, context) =>
        {
            var defaults = new DiffRequest { PathA = context.Locate(parsed.GetRequiredValue(a)), PathB = context.Locate(parsed.GetRequiredValue(b)) };
            return Execute(
                defaults with
                {
                    Patterns = CommonOptions.PatternsInOrder(parsed),
                    All = parsed.GetValue(all),
                    Threads = parsed.ThreadsOf(threads),
                    MaxMemoryBytes = parsed.ValueOr(maxMemory, defaults.MaxMemoryBytes),
                },
                context);
        });
        return command;
    }

    private static ExitCode Execute(DiffRequest request, CommandContext context)
    {
        DiffSummary summary = DiffRun.Execute(request, context.Events, context.Cancellation);
        if (context.Json) context.Terminal.Out.Write(DiffJson.Of(summary));
        else if (context.Verbosity != Verbosity.Quiet) DiffScreen.Write(summary, context.Terminal, context.Verbosity);
        return summary.IsEqual ? ExitCode.Done : ExitCode.Differs;
    }
}
