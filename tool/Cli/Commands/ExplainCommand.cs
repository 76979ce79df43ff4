using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Architectures;
using Bnb.Engine.Errors;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Reports;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb explain PATH [PATTERN]</c>: what becomes of each tensor and why, a line each.</summary>
internal static class ExplainCommand
{
    public static Command Create(CommandHost host)
    {
        var path = new Argument<string>("PATH") { Description = "Checkpoint folder, pipeline folder, one file of weights, or the id of a model in the local Hugging Face cache", CustomParser = Choice.FilePath };
        var pattern = new Argument<string?>("PATTERN") { Description = "Tensors to tell about: a glob, or re: and a regular expression (default: all)", Arity = ArgumentArity.ZeroOrOne };
        var recipe = new RecipeOptions();
        var load = new LoadOptions();
        var sources = new SourceOptions();
        var command = new Command("explain", "Say for each tensor whether it would be quantized, by which rule and why") { path, pattern };
        foreach (Option option in recipe.Deciding.Concat([load.Experts, load.LoadsIn, sources.Variant])) command.Add(option);
        command.Validators.Add(result => recipe.Validate(result, computeDType: null));
        host.Attach(command, (parsed, context) =>
        {
            QuantizeRecipe wanted = recipe.Recipe(parsed);
            if (!wanted.Quantizes)
                throw new UserErrorException(ExitCode.Usage, "USAGE", "with --type none nothing is decided") { Action = "name the type that the decisions are for" };
            IReadOnlyList<LoadTarget> targets = load.LoadsInOf(parsed);
            string model = context.Locate(parsed.GetRequiredValue(path));
            foreach (Explanation explanation in ExplainRun.Execute(model, parsed.GetValue(pattern), parsed.GetValue(sources.Variant), wanted, load.ExpertsOf(parsed), targets))
                Write(explanation, context);
        });
        return command;
    }

    private static void Write(Explanation explanation, CommandContext context)
    {
        if (context.Json)
        {
            context.Terminal.Out.Write(ExplainJson.Of(explanation));
            return;
        }

        string known = explanation.KnownTo.Count > 0 ? string.Join(", ", explanation.KnownTo) : "no library of the atlas: names decide";
        Say($"{(explanation.Component is { } component ? $"{DisplayText.Escape(component)}: " : "")}known to {known}{(explanation.IsUsual ? "" : "; quantize copies it unless --components names it")}");
        foreach (TensorDecision decision in explanation.Decisions)
        {
            string action = decision.Action == TensorAction.Quantize ? "quantize" : "copy";
            Say($"{DisplayText.Escape(decision.Tensor.Name)}: {action} [{decision.Rule}, by {(decision.Known is null ? "name" : "atlas")}] {DisplayText.Escape(decision.Reason)}");
        }

        void Say(string line) => context.Terminal.Out.WriteLine(DisplayWidth.Wrap(line, context.Terminal.Width, 2));
    }
}
