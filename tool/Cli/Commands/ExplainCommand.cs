using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Reports;
using Bnb.Formats.Primitives;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb explain PATH [GLOB]</c>: what becomes of each tensor and why, a line each.</summary>
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
        var path = new Argument<string>("PATH") { Description = "Checkpoint folder, pipeline folder or one file of weights", CustomParser = Choice.FilePath };
        var glob = new Argument<string?>("GLOB") { Description = "Tensors to tell about (default: all)", Arity = ArgumentArity.ZeroOrOne };
        var type = new Option<PolicyTarget>("--type", "-t")
        {
            Description = "Data type the decisions are for: nf4, fp4, int8 or int4 (default: nf4)",
            HelpName = "TYPE",
            CustomParser = Choice.Parser(Targets),
        };
        var command = new Command("explain", "Say for each tensor whether it would be quantized, by which rule and why") { path, glob, type };
        host.Attach(command, (parsed, context) =>
            Execute(parsed.GetRequiredValue(path), parsed.GetValue(glob), parsed.ValueOr(type, PolicyTarget.Bnb4), context));
        return command;
    }

    public static void Execute(string path, string? glob, PolicyTarget target, CommandContext context)
    {
        foreach (Explanation explanation in ExplainRun.Execute(path, glob, target)) Write(explanation, context);
    }

    private static void Write(Explanation explanation, CommandContext context)
    {
        if (context.Json)
        {
            context.Terminal.Out.Write(ExplainJson.Of(explanation));
            return;
        }

        string known = explanation.KnownTo.Count > 0 ? string.Join(", ", explanation.KnownTo) : "no library of the atlas: names decide";
        context.Terminal.Out.WriteLine($"{(explanation.Component is { } component ? $"{DisplayText.Escape(component)}: " : "")}known to {known}");
        foreach (TensorDecision decision in explanation.Decisions)
        {
            string action = decision.Action == TensorAction.Quantize ? "quantize" : "copy";
            context.Terminal.Out.WriteLine(
                $"{DisplayText.Escape(decision.Tensor.Name)}: {action} [{decision.Rule}, by {(decision.Known is null ? "name" : "atlas")}] {DisplayText.Escape(decision.Reason)}");
        }
    }
}
