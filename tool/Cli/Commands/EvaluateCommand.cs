using System.CommandLine;
using System.CommandLine.Parsing;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Errors;
using Bnb.Engine.Evaluating;
using Bnb.Engine.Events;
using Bnb.Engine.Manifests;
using Bnb.Engine.Reports.Evaluation;
using Bnb.Engine.Text;
using Bnb.Quant.Numerics;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb evaluate QUANTIZED --source SRC</c>: what quantization cost the model as a whole.</summary>
internal static class EvaluateCommand
{
    private const int MostTokens = 1 << 22;

    public static Command Create(CommandHost host)
    {
        var quantized = new Argument<string>("QUANTIZED") { Description = "Checkpoint folder or .safetensors file to judge, quantized or not", CustomParser = Choice.FilePath };
        var source = new Option<string>("--source", "-s") { Description = "The checkpoint to judge it by (no default)", HelpName = "PATH", Required = true, CustomParser = Choice.FilePath };
        var text = new Option<string?>("--text") { Description = "UTF-8 text, tokenized by the source's tokenizer.json (default: a sample text)", HelpName = "FILE", CustomParser = Choice.FilePath };
        var ids = new Option<string?>("--ids")
        {
            Description = "Safetensors file with tokens instead: input_ids I64 [rows, tokens], each row a context (default: none)",
            HelpName = "FILE",
            CustomParser = Choice.FilePath,
        };
        var tokens = new Option<int>("--tokens") { Description = "Tokens at most (default: 4096 of a text, all of --ids)", HelpName = "N", CustomParser = Choice.Number(2, MostTokens) };
        var context = new Option<int>("--context") { Description = "Tokens of each context that text is cut into (default: 512)", HelpName = "N", CustomParser = Choice.Number(2, MostTokens) };
        var computeDType = new Option<ElementType>("--compute-dtype")
        {
            Description = "float32, or bfloat16 or float16 to round decoded weights and activations as loaders' kernels do (default: float32)",
            HelpName = "DTYPE",
            CustomParser = Choice.Parser(new Dictionary<string, ElementType> { ["float32"] = ElementType.F32, ["bfloat16"] = ElementType.BF16, ["float16"] = ElementType.F16 }),
        };
        Option<double?> maxKl = Limit("--max-kl", "Largest mean KL divergence in nats; beyond it the exit code is 14 (default: none)");
        Option<double?> maxRatio = Limit("--max-perplexity-ratio", "Largest quotient of both perplexities, 1.02 is 2 % more; beyond it the exit code is 14 (default: none)");
        var importance = new Option<string?>("--save-importance")
        {
            Description = "Also write mean squared activations of the source per input channel: .safetensors, or .gguf for llama.cpp's imatrix (default: none)",
            HelpName = "FILE",
            CustomParser = Choice.FilePath,
        };
        var report = new Option<string[]>("--report")
        {
            Description = "Also write a report, its form by the ending: .json, .html or .xml (JUnit); repeatable (default: none)",
            HelpName = "FILE",
            Arity = ArgumentArity.OneOrMore,
            CustomParser = Choice.FilePaths,
        };
        var device = new DeviceOptions("figures differ in float32's last digits");
        Option<bool> updateCard = CommonOptions.UpdateCard();
        Option<int> threads = CommonOptions.Threads();
        var command = new Command("evaluate", "Measure what quantization cost: both models on the same text, layer by layer")
        {
            quantized, source, text, ids, tokens, context, computeDType, maxKl, maxRatio, importance, report, updateCard, device.Choice, device.MaxMemory, threads,
        };
        command.Validators.Add(device.Validate);
        command.Validators.Add(result => ForbidBoth(result, ids, text));
        command.Validators.Add(result => ForbidBoth(result, ids, context));
        host.Attach(command, (parsed, run) =>
        {
            var defaults = new EvaluationRequest { QuantizedPath = run.LocateWhole(parsed.GetRequiredValue(quantized)), SourcePath = run.LocateWhole(parsed.GetRequiredValue(source)) };
            return Execute(
                defaults with
                {
                    TextPath = parsed.GetValue(text),
                    IdsPath = parsed.GetValue(ids),
                    Tokens = parsed.GetResult(tokens) is null ? null : parsed.GetRequiredValue(tokens),
                    Context = parsed.ValueOr(context, defaults.Context),
                    ComputeType = parsed.ValueOr(computeDType, defaults.ComputeType),
                    CollectImportance = parsed.GetValue(importance) is not null,
                    Device = parsed.ValueOr(device.Choice, defaults.Device),
                    MaxDeviceMemoryBytes = device.MemoryLimit(parsed),
                    Threads = parsed.ThreadsOf(threads),
                },
                new EvaluationLimits(parsed.GetValue(maxKl), parsed.GetValue(maxRatio)),
                parsed.GetValue(importance),
                parsed.GetValue(report) ?? [],
                parsed.GetValue(updateCard),
                run);
        });
        return command;
    }

    private static Option<double?> Limit(string name, string description) =>
        new(name) { Description = description, HelpName = "X", CustomParser = result => name == "--max-perplexity-ratio" ? Choice.Quotient(result) : Choice.PositiveNumber(result) };

    private static void ForbidBoth(CommandResult result, Option one, Option other)
    {
        if (result.GetResult(one) is { Implicit: false } && result.GetResult(other) is { Implicit: false })
            result.AddError($"{other.Name} is about text, and {one.Name} gives tokens: name one of them");
    }

    private static ExitCode Execute(
        EvaluationRequest request, EvaluationLimits limits, string? importancePath, IReadOnlyList<string> reportPaths, bool updateCard, CommandContext context)
    {
        // What can be wrong with the options is said before the work, not after.
        var files = new EvaluationFiles(reportPaths);
        CardUpdate? card = updateCard ? new CardUpdate(request.QuantizedPath) : null;
        if (importancePath is not null)
        {
            ImportanceFile.CheckEnding(importancePath);
            ReportFile.CheckPlace(importancePath);
        }

        EvaluationPlan plan = EvaluationPlan.Make(request);
        foreach (string note in plan.Notes) context.Events.Message(MessageLevel.Warning, note);
        using var run = new EvaluationRun(plan, context.Events);
        if (context.Verbosity != Verbosity.Quiet)
            context.Terminal.Error.WriteLine($"{plan.Tokens.Ids.Length} tokens in {plan.Tokens.Lengths.Count} contexts; needs about {ByteSize.Format(run.MemoryBytes)} of memory");
        var progress = new PipelineProgress(run.WorkBytes);
        EvaluationResult result;
        using (context.Events.Watch(progress)) result = run.Execute(progress, context.Cancellation);
        var report = new EvaluationReport(result, limits.Exceeded(result));
        if (importancePath is not null)
        {
            ReportFile.Write(importancePath, ImportanceFile.Of(importancePath, result, request.IdsPath ?? request.TextPath ?? "sample text"));
            context.HasWritten(importancePath);
        }

        files.Write(report, context.HasWritten);
        if (report.Passed) card?.Write(EvaluationCard.Name, EvaluationCard.Of(report, Path.GetFileName(request.IdsPath ?? request.TextPath)));
        else if (updateCard) context.Events.Warning("the model card stays as it was: there is nothing good to say");
        if (context.Json) context.Terminal.Out.Write(EvaluationJson.Of(report));
        else if (context.Verbosity != Verbosity.Quiet) EvaluationScreen.Write(report, context.Terminal);
        return report.Passed ? ExitCode.Done : ExitCode.VerificationFailed;
    }
}
