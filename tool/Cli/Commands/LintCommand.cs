using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Architectures;
using Bnb.Engine.Errors;
using Bnb.Engine.Linting;
using Bnb.Engine.Reports;
using Bnb.Engine.Text;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb lint DIR</c>: who can load a quantized checkpoint, and why not.</summary>
internal static class LintCommand
{
    public static Command Create(CommandHost host)
    {
        var path = new Argument<string>("DIR") { Description = "Quantized checkpoint folder, diffusers pipeline or file, whoever made it", CustomParser = Choice.FilePath };
        var consumers = new Option<IReadOnlyList<LoadTarget>>("--for")
        {
            Description = "Libraries that must load it, with commas between: transformers4, transformers5, diffusers, vllm, sglang, peft (default: those that can load the type and have the class)",
            HelpName = "LIST",
            Arity = ArgumentArity.ExactlyOne,
            CustomParser = LoadOptions.ParseTargets,
        };
        var sarif = new Option<string?>("--sarif") { Description = "Also write the findings as SARIF 2.1.0 to this file (default: none)", HelpName = "FILE", CustomParser = Choice.FilePath };
        var command = new Command("lint", "Judge a quantized checkpoint by the rules of the libraries that load it") { path, consumers, sarif };
        host.Attach(command, (parsed, context) =>
            Execute(new LintRequest(context.Locate(parsed.GetRequiredValue(path)), parsed.GetValue(consumers) ?? []), parsed.GetValue(sarif), context));
        return command;
    }

    private static ExitCode Execute(LintRequest request, string? sarifPath, CommandContext context)
    {
        if (sarifPath is not null) ReportFile.CheckPlace(sarifPath);
        IReadOnlyList<LintReport> reports = LintRun.ExecuteAll(request, context.Events);
        if (sarifPath is not null)
        {
            ReportFile.Write(sarifPath, text => text.Write(LintSarif.Of(reports)));
            context.HasWritten(sarifPath);
        }

        foreach (LintReport report in reports)
        {
            if (context.Json) context.Terminal.Out.Write(LintJson.Of(report));
            else if (context.Verbosity != Verbosity.Quiet) LintScreen.Write(report, context.Terminal);
        }

        return reports.All(static report => report.Passed) ? ExitCode.Done : ExitCode.VerificationFailed;
    }
}
