using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Finishing;
using Bnb.Engine.Reports;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Commands;

/// <summary>The words of <c>dotnet bnb finish</c>; <see cref="FinishRun"/> does the work.</summary>
internal static class FinishCommand
{
    public static Command Create(CommandHost host)
    {
        var output = new Argument<string>("OUTPUT") { Description = "The output folder as it was given to the workers", CustomParser = Choice.FilePath };
        Option<int> threads = CommonOptions.Threads();
        Option<bool> overwrite = CommonOptions.Overwrite();
        var command = new Command("finish", "Commit an output that several workers made, when the last of them could not") { output, threads, overwrite };
        host.Attach(command, (parsed, context) => Execute(
            FinishRun.Execute(
                parsed.GetRequiredValue(output), parsed.GetValue(overwrite), parsed.ThreadsOf(threads), context.Events, context.Cancellation),
            context));
        return command;
    }

    private static void Execute(FinishSummary summary, CommandContext context)
    {
        if (context.Json)
        {
            context.Terminal.Out.Write(FinishJson.Of(summary));
        }
        else if (context.Verbosity != Verbosity.Quiet)
        {
            context.Terminal.Out.WriteLine(summary.NothingToDo
                ? $"nothing to do: {DisplayText.Escape(summary.Output)} is complete"
                : $"the output is complete: {DisplayText.Escape(summary.Output)}, {TableConsole.Number(summary.Plan!.Shards.Count)} weight files");
        }
    }
}
