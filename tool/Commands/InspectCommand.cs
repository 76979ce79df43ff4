using System.CommandLine;
using Bnb.Formats;
using Bnb.Tool.Errors;
using Bnb.Tool.Options;
using Bnb.Tool.Pipeline;
using Bnb.Tool.Reports;

namespace Bnb.Tool.Commands;

/// <summary><c>dotnet bnb inspect PATH</c>: what is in a checkpoint, quantized or not, without reading its weights.</summary>
internal static class InspectCommand
{
    public static Command Create(CommandHost host)
    {
        var path = new Argument<string>("PATH") { Description = "Checkpoint folder or one .safetensors file", CustomParser = Choice.FilePath };
        var command = new Command("inspect", "List tensors, dtypes, shapes, sizes and quantization state of a checkpoint") { path };
        host.Attach(command, (parsed, context) => Execute(parsed.GetRequiredValue(path), context));
        return command;
    }

    public static void Execute(string path, CommandContext context)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        if (name.EndsWith(StagingFolder.Suffix, StringComparison.Ordinal))
        {
            throw new UserErrorException(ExitCode.InputMalformed, "INCOMPLETE", "this is the staging folder of a run that is in progress or was interrupted")
            {
                File = path,
                Action = "wait for the run, or run it again",
            };
        }

        Checkpoint checkpoint = Checkpoint.Open(path, requireConfig: false, followSymlinks: true);
        foreach (string note in checkpoint.Notes) context.Log.Warning("{Note:l}", DisplayText.Escape(note));
        InspectSummary summary = InspectSummary.Of(checkpoint);
        foreach (WeightProblem problem in summary.Problems)
            context.Log.Warning("{Rule:l}: {Tensor:l} {Text:l}", problem.Rule, DisplayText.Escape(problem.Tensor), problem.Text);
        if (context.Json) context.Terminal.Out.Write(InspectReport.Json(summary));
        else InspectReport.WriteTables(summary, context.Terminal, context.Verbosity);
        // Shown as far as it could be read; a weight that cannot be decoded is an error all the same.
        summary.ThrowIfMalformed();
    }
}
