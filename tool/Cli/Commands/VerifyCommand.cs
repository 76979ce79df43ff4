using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Manifests;
using Bnb.Engine.Plans;
using Bnb.Engine.Reports;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Verifying;
using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Cli.Commands;

/// <summary>The words of <c>dotnet bnb verify</c>; <see cref="VerifyRun"/> does the work.</summary>
internal static class VerifyCommand
{
    private const int MostTokens = 4096;

    public static Command Create(CommandHost host)
    {
        var quantized = new Argument<string>("QUANTIZED") { Description = "Checkpoint folder or .safetensors file, quantized to nf4, fp4, int8 or int4 by anyone", CustomParser = Choice.FilePath };
        var source = new Option<string?>("--source", "-s") { Description = "The checkpoint it was made from: a path, or a model's id in the local Hugging Face cache (no default)", HelpName = "PATH", CustomParser = Choice.FilePath };
        var manifest = new Option<bool>("--manifest") { Description = "Instead of measuring, compare every file with SHA-256 in the folder's bnb-manifest.json; needs no --source (default: off)" };
        var tokens = new Option<int>("--tokens")
        {
            Description = "Rows of activations multiplied with every layer; 0 leaves the products out (default: 32)",
            HelpName = "N",
            CustomParser = Choice.Number(0, MostTokens),
        };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the random activations (default: 20231027)", HelpName = "N", CustomParser = Choice.Seed };
        var outliers = new Option<int>("--outlier-channels")
        {
            Description = "Activation channels that are 20 times as large as the others (default: 0)",
            HelpName = "N",
            CustomParser = Choice.Number(0, 1 << 20),
        };
        var activations = new Option<string?>("--activations") { Description = "Safetensors file of recorded activations [tokens, inputs] by layer name; other layers get random ones (default: none)", HelpName = "FILE", CustomParser = Choice.FilePath };
        var computeDType = new Option<ElementType?>("--compute-dtype")
        {
            Description = "bfloat16 or float16, for activations, decoded weights and results (default: config.json's, else bfloat16)",
            HelpName = "DTYPE",
            CustomParser = Choice.Parser(new Dictionary<string, ElementType?> { ["bfloat16"] = ElementType.BF16, ["float16"] = ElementType.F16 }),
        };
        Option<double?> maxError = Limit("--max-rel-error", Choice.RelativeError, "Largest relative RMSE of weights and products, 0.12 is 12 % (default: 1.5 times what theory gives for the type and block size)");
        Option<double?> minSnr = Limit("--min-snr", Choice.Number, "Smallest signal-to-noise ratio of weights in dB (default: that of --max-rel-error)");
        Option<double?> maxKernel = Limit("--max-kernel-error", Choice.RelativeError, "Largest relative RMSE of the packed product against FP32 over the decoded weights (default: the compute dtype's unit roundoff)");
        var maxDiffs = new Option<int?>("--max-code-diffs")
        {
            Description = "Codes per layer that may differ from the definition (default: 0)",
            HelpName = "N",
            CustomParser = result => Choice.Number(0, int.MaxValue)(result),
        };
        var policy = new Option<string?>("--policy") { Description = "JSON file with limits per layer pattern; limits on the command line go before it (default: none)", HelpName = "FILE", CustomParser = Choice.FilePath };
        var scale = new Option<ScaleRule?>("--scale")
        {
            Description = "How scales were found: absmax or search (default: that of bnb-manifest.json; without one, search where the nested offset is 0, else absmax)",
            HelpName = "RULE",
            CustomParser = Choice.Parser(new Dictionary<string, ScaleRule?> { ["absmax"] = ScaleRule.Absmax, ["search"] = ScaleRule.Search }),
        };
        var importance = new Option<string?>("--importance") { Description = "The file that quantize --importance was given (default: none)", HelpName = "FILE", CustomParser = Choice.FilePath };
        var sample = new Option<string?>("--sample") { Description = "Verify only this many layers, or this share such as 5%, evenly spread (default: all)", HelpName = "N|P%" };
        Option<string[]> include = CommonOptions.Pattern("--include", "Verify layers whose name matches this glob, or after re: this regular expression; repeatable, the last matching --include or --exclude wins (default: all)");
        Option<string[]> exclude = CommonOptions.Pattern("--exclude", "Leave out layers whose name matches this glob, or after re: this regular expression; repeatable, the last match wins (default: none)");
        var report = new Option<string[]>("--report")
        {
            Description = "Also write a report, its form by the ending: .json, .xml (JUnit), .md or .html; repeatable (default: none)",
            HelpName = "FILE",
            Arity = ArgumentArity.OneOrMore,
            CustomParser = Choice.FilePaths,
        };
        var baseline = new Option<string?>("--baseline") { Description = "An earlier .json report: fail where anything got worse (default: none)", HelpName = "FILE", CustomParser = Choice.FilePath };
        Option<bool> updateCard = CommonOptions.UpdateCard();
        var device = new DeviceOptions();
        Option<int> threads = CommonOptions.Threads();
        Option<long> maxMemory = CommonOptions.MaxMemory();
        var command = new Command("verify", "Prove that a quantized checkpoint is what its source makes, and measure what it cost")
        {
            quantized, source, manifest, tokens, seed, outliers, activations, computeDType, maxError, minSnr, maxKernel, maxDiffs, policy, scale, importance, sample, include, exclude,
            report, baseline, updateCard, device.Choice, device.MaxMemory, threads, maxMemory,
        };
        command.Validators.Add(device.Validate);
        command.Validators.Add(result =>
        {
            if (!result.GetValue(manifest))
            {
                if (result.GetResult(source) is null) result.AddError("Option '--source' is required, or --manifest");
                return;
            }

            string? other = command.Options.FirstOrDefault(option => option != manifest && option != threads
                && option.Name is not ("--json" or "--verbosity" or "--log-file") && result.GetResult(option) is { Implicit: false })?.Name;
            if (other is not null) result.AddError($"--manifest does not go with {other}: it measures nothing and needs no source");
        });
        host.Attach(command, (parsed, context) =>
        {
            if (parsed.GetValue(manifest)) return CheckManifest(context.Locate(parsed.GetRequiredValue(quantized)), parsed.ThreadsOf(threads), context);
            var defaults = new VerifyRequest { QuantizedPath = context.Locate(parsed.GetRequiredValue(quantized)), SourcePath = context.Locate(parsed.GetRequiredValue(source)!) };
            return Execute(
                defaults with
                {
                    Tokens = parsed.ValueOr(tokens, defaults.Tokens),
                    Seed = parsed.ValueOr(seed, defaults.Seed),
                    OutlierChannels = parsed.GetValue(outliers),
                    ActivationsPath = parsed.GetValue(activations),
                    ComputeType = parsed.GetValue(computeDType),
                    Limits = new Thresholds(parsed.GetValue(maxError), parsed.GetValue(minSnr), parsed.GetValue(maxKernel), parsed.GetValue(maxDiffs)),
                    PolicyPath = parsed.GetValue(policy),
                    Scale = parsed.GetValue(scale),
                    ImportancePath = parsed.GetValue(importance),
                    Sample = parsed.GetValue(sample),
                    Patterns = CommonOptions.PatternsInOrder(parsed),
                    BaselinePath = parsed.GetValue(baseline),
                    HashContents = parsed.GetResult(report) is { Implicit: false },
                    Command = CommonOptions.CommandLine(parsed),
                    Device = parsed.ValueOr(device.Choice, defaults.Device),
                    MaxDeviceMemoryBytes = device.MemoryLimit(parsed),
                    Threads = parsed.ThreadsOf(threads),
                    MaxMemoryBytes = parsed.ValueOr(maxMemory, defaults.MaxMemoryBytes),
                },
                parsed.GetValue(report) ?? [],
                parsed.GetValue(updateCard),
                context);
        });
        return command;
    }

    private static Option<double?> Limit(string name, Func<System.CommandLine.Parsing.ArgumentResult, double> parse, string description) =>
        new(name) { Description = description, HelpName = "X", CustomParser = result => parse(result) };

    private static ExitCode CheckManifest(string folder, int threads, CommandContext context)
    {
        ManifestReport report = ManifestCheck.Execute(folder, threads, context.Cancellation);
        if (context.Json) context.Terminal.Out.Write(ManifestJson.Of(report));
        else if (context.Verbosity != Verbosity.Quiet) ManifestScreen.Write(report, context.Terminal);
        return report.Passed ? ExitCode.Done : ExitCode.VerificationFailed;
    }

    private static ExitCode Execute(VerifyRequest request, string[] reportPaths, bool updateCard, CommandContext context)
    {
        bool passed = true;
        List<string> sections = [];
        CardUpdate? card = updateCard ? new CardUpdate(request.QuantizedPath) : null;
        IReadOnlyList<(string? Component, VerifyRequest Request)> models = PipelineVerification.Of(request);
        IReadOnlyList<ReportFiles> files = [.. models.Select(model => new ReportFiles(PathsFor(model.Component)))];
        for (int i = 0; i < models.Count; i++)
        {
            (string? component, VerifyRequest model) = models[i];
            VerificationReport report = VerifyRun.Execute(model, context.Events, context.Cancellation);
            passed &= report.Passed;
            files[i].Write(report, context.HasWritten);
            if (report.Layers.Count > 0) sections.Add((component is null ? "" : $"Component `{DisplayText.Escape(component)}`:\n\n") + VerificationCard.Of(report));
            if (context.Json) context.Terminal.Out.Write(VerificationReportJsonLine.Of(report));
            else if (context.Verbosity != Verbosity.Quiet) VerificationScreen.Write(report, context.Terminal, context.Verbosity);
        }

        if (passed && sections.Count > 0) card?.Write(VerificationCard.Name, string.Join('\n', sections));
        else if (updateCard) context.Events.Warning("the model card stays as it was: there is nothing good to say");
        return passed ? ExitCode.Done : ExitCode.VerificationFailed;

        // A report for each component: report.json is report.transformer.json.
        string[] PathsFor(string? component) => component is null
            ? reportPaths
            : [.. reportPaths.Select(path => Path.ChangeExtension(path, component + Path.GetExtension(path)))];
    }
}
