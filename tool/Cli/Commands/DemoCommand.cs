using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Engine.Errors;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Sampling;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb demo DIR</c>: makes a small checkpoint, quantizes it and shows the result; needs no model at hand.</summary>
internal static class DemoCommand
{
    public static Command Create(CommandHost host)
    {
        var folder = new Argument<string>("DIR") { Description = "Folder to create; it gets source/ and nf4/", CustomParser = Choice.FilePath };
        var command = new Command("demo", "Make a small sample checkpoint in DIR and quantize it, to see the tool at work") { folder };
        host.Attach(command, (parsed, context) => Execute(parsed.GetRequiredValue(folder), context));
        return command;
    }

    private static void Execute(string folder, CommandContext context)
    {
        string source = Path.Combine(folder, "source"), output = Path.Combine(folder, "nf4");
        if (Path.Exists(folder))
        {
            throw new UserErrorException(ExitCode.OutputRefused, "OUTPUT-EXISTS", "the demo folder already exists")
            {
                File = folder,
                Action = "choose another DIR, or remove it",
            };
        }

        string made = FirstMissing(folder);
        try
        {
            SampleCheckpoint.Small.Write(source);
            context.Terminal.Error.WriteLine($"made a sample checkpoint: {source}");
            context.Terminal.Error.WriteLine($"$ dotnet bnb quantize {source} --output {output}");
            QuantizeCommand.Execute(new QuantizeRequest { SourcePath = source, OutputPath = output }, context);
        }
        catch
        {
            // It would be in the way of the same command, and is made again in a moment.
            if (Directory.Exists(made)) Directory.Delete(made, recursive: true);
            context.Outcome = "nothing was written";
            throw;
        }

        context.Outcome = $"the sample is in {source}";
        if (context.Json) return;
        context.Terminal.Error.WriteLine($"$ dotnet bnb inspect {output}");
        InspectCommand.Execute(output, context);
    }

    /// <summary>The topmost folder that is not there yet.</summary>
    private static string FirstMissing(string folder)
    {
        string missing = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        while (Path.GetDirectoryName(missing) is { } above && !Directory.Exists(above)) missing = above;
        return missing;
    }
}
