using System.CommandLine;
using System.Text;
using Bnb.Cli.Options;
using Bnb.Engine.Errors;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb init</c>: a recipe file for a model, with comments on what its options choose.</summary>
internal static class InitCommand
{
    public static Command Create(CommandHost host)
    {
        var source = new Argument<string>("SOURCE") { Description = "Checkpoint folder, diffusers pipeline or one .safetensors file, as quantize takes it", CustomParser = Choice.FilePath };
        var output = new Option<string>("--output", "-o")
        {
            Description = "Recipe file to create; one that exists is not replaced (default: recipe.json)",
            HelpName = "FILE",
            CustomParser = Choice.FilePath,
        };
        var recipe = new RecipeOptions();
        var sources = new SourceOptions();
        var command = new Command("init", "Write a recipe file for a model, with comments, to change and to give to quantize --config") { source, output, recipe.Type, sources.Components, sources.Variant, sources.DType };
        host.Attach(command, (parsed, context) =>
        {
            string file = parsed.ValueOr(output, "recipe.json");
            var request = new QuantizeRequest
            {
                SourcePath = context.LocateWhole(parsed.GetRequiredValue(source)),
                OutputPath = null,
                Recipe = recipe.Recipe(parsed),
                Components = parsed.GetValue(sources.Components) ?? [],
                Variant = parsed.GetValue(sources.Variant),
                CastTo = parsed.GetValue(sources.DType),
            };
            Create(file, RecipeTemplate.For(request));
            if (context.Json) context.Terminal.Out.Write(JsonLine.Of(json =>
            {
                json.WriteString("type", "initialized");
                json.WriteString("output", file);
            }));
            else if (context.Verbosity != Verbosity.Quiet) context.Terminal.Out.WriteLine($"written to {DisplayText.Escape(file)}");
        });
        return command;
    }

    private static void Create(string path, string text)
    {
        ReportFile.CheckPlace(path);
        try
        {
            using var file = new FileStream(path, FileMode.CreateNew);
            file.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (IOException error) when (File.Exists(path))
        {
            throw new UserErrorException(ExitCode.OutputRefused, "OUTPUT", "there is a file of this name, and no recipe is replaced", error)
            {
                File = path,
                Action = "move it away, or choose another path with --output",
            };
        }
    }
}
