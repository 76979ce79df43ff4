using System.CommandLine;
using System.Text;
using Bnb.Cli.Options;
using Bnb.Engine.Errors;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Recipes;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb init</c>: a recipe file for a model, with comments on what its options choose.</summary>
internal static class InitCommand
{
    public static Command Create(CommandHost host)
    {
        var source = new Argument<string?>("SOURCE") { Arity = ArgumentArity.ZeroOrOne, Description = "Checkpoint folder, diffusers pipeline or one .safetensors file, as quantize takes it", CustomParser = Choice.FilePath };
        var output = new Option<string>("--output", "-o")
        {
            Description = "Recipe file to create; one that exists is not replaced (default: recipe.json)",
            HelpName = "FILE",
            CustomParser = Choice.FilePath,
        };
        var schema = new Option<bool>("--schema") { Description = "Instead print the JSON schema of recipe files, for editors to check and complete them; needs no SOURCE (default: off)" };
        var recipe = new RecipeOptions();
        var sources = new SourceOptions();
        var command = new Command("init", "Write a recipe file for a model, with comments, to change and to give to quantize --config") { source, output, recipe.Type, sources.Components, sources.Variant, sources.DType, schema };
        command.Validators.Add(result =>
        {
            if (!result.GetValue(schema))
            {
                if (result.GetResult(source) is not { Tokens.Count: > 0 }) result.AddError("Required argument missing for command: 'init'.");
                return;
            }

            string? other = command.Options.FirstOrDefault(option => option != schema && result.GetResult(option) is { Implicit: false })?.Name;
            if (other is not null || result.GetResult(source) is { Tokens.Count: > 0 }) result.AddError($"--schema does not go with {other ?? "SOURCE"}: it prints one text and writes nothing");
        });
        host.Attach(command, (parsed, context) =>
        {
            if (parsed.GetValue(schema))
            {
                context.Terminal.Out.Write(RecipeSchema.Text());
                return;
            }

            string file = parsed.ValueOr(output, "recipe.json");
            var request = new QuantizeRequest
            {
                SourcePath = context.LocateWhole(parsed.GetValue(source)!),
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
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.CreateNew);
        }
        catch (IOException error) when (File.Exists(path))
        {
            throw new UserErrorException(ExitCode.OutputRefused, "OUTPUT", "there is a file of this name, and no recipe is replaced", error)
            {
                File = path,
                Action = "move it away, or choose another path with --output",
            };
        }

        try
        {
            using (file) file.Write(Encoding.UTF8.GetBytes(text));
        }
        catch
        {
            // Half of a recipe would be in the way of the same command.
            File.Delete(path);
            throw;
        }
    }
}
