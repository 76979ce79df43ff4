using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Terminal;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Reports;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb explain PATH [PATTERN]</c>: what becomes of each tensor and why, a line each.</summary>
internal static class ExplainCommand
{
    private static readonly Dictionary<string, PolicyTarget> Targets = new()
    {
        ["nf4"] = PolicyTarget.Bnb4,
        ["fp4"] = PolicyTarget.Bnb4,
        ["int8"] = PolicyTarget.Bnb8,
        ["int4"] = PolicyTarget.CompressedTensors,
    };

    public static Command Create(CommandHost host)
    {
        var path = new Argument<string>("PATH") { Description = "Checkpoint folder, one file of weights, or the id of a model in the local Hugging Face cache", CustomParser = Choice.FilePath };
        var pattern = new Argument<string?>("PATTERN") { Description = "Tensors to tell about: a glob, or re: and a regular expression (default: all)", Arity = ArgumentArity.ZeroOrOne };
        var type = new Option<PolicyTarget>("--type", "-t")
        {
            Description = "Data type the decisions are for: nf4, fp4, int8 or int4 (default: nf4)",
            HelpName = "TYPE",
            CustomParser = Choice.Parser(Targets),
        };
        var command = new Command("explain", "Say for each tensor whether it would be quantized, by which rule and why") { path, pattern, type };
        host.Attach(command, (parsed, context) =>
            Execute(context.Locate(parsed.GetRequiredValue(path)), parsed.GetValue(pattern), parsed.ValueOr(type, PolicyTarget.Bnb4), context));
        return command;
    }

    public static void Execute(string path, string? pattern, PolicyTarget target, CommandContext context)
    {
        Explanation explanation = ExplainRun.Execute(path, pattern, target);
        if (context.Json)
        {
            context.Terminal.Out.Write(ExplainJson.Of(explanation));
            return;
        }

        string known = explanation.KnownTo.Count > 0 ? string.Join(", ", explanation.KnownTo) : "no library of the atlas: names decide";
        Say($"known to {known}");
        foreach (TensorDecision decision in explanation.Decisions)
        {
            string action = decision.Action == TensorAction.Quantize ? "quantize" : "copy";
            Say($"{DisplayText.Escape(decision.Tensor.Name)}: {action} [{decision.Rule}, by {(decision.Known is null ? "name" : "atlas")}] {DisplayText.Escape(decision.Reason)}");
        }

        void Say(string line) => context.Terminal.Out.WriteLine(DisplayWidth.Wrap(line, context.Terminal.Width, 2));
    }
}
