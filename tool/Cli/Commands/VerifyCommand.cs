using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Errors;
using Bnb.Engine.Reports.Verification;
using Bnb.Engine.Verifying;
using Bnb.Quant.Numerics;

namespace Bnb.Cli.Commands;

/// <summary>The words of <c>dotnet bnb verify</c>; <see cref="VerifyRun"/> does the work.</summary>
internal static class VerifyCommand
{
    private const int MostTokens = 4096;

    public static Command Create(CommandHost host)
    {
        var quantized = new Argument<string>("QUANTIZED") { Description = "Checkpoint folder or .safetensors file, quantized to nf4, fp4, int8 or int4 by anyone", CustomParser = Choice.FilePath };
        var source = new Option<string>("--source", "-s") { Description = "The checkpoint it was made from: a path, or a model's id in the local Hugging Face cache (no default)", HelpName = "PATH", Required = true, CustomParser = Choice.FilePath };
        var tokens = new Option<int>("--tokens")
        {
            Description = "Rows of activations multiplied with every layer; 0 leaves the products out (default: 32)",
            HelpName = "N",
            CustomParser = Choice.Number(0, MostTokens),
        };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the random activations (default: 20231027)", HelpName = "N" };
        var outliers = new Option<int>("--outlier-channels")
        {
            Description = "Activation channels that are 20 times as large as the others (default: 0)",
            HelpName = "N",
            CustomParser = Choice.Number(0, 1 << 20),
        };
        var activations = new Option<string?>("--activations") { Description = "Safetensors file of recorded activations [tokens, inputs] by layer name; other layers get random ones (default: none)", HelpName = "FILE" };
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
        var policy = new Option<string?>("--policy") { Description = "JSON file with limits per layer glob; limits on the command line go before it (default: none)", HelpName = "FILE" };
        var sample = new Option<string?>("--sample") { Description = "Verify only this many layers, or this share such as 5%, evenly spread (default: all)", HelpName = "N|P%" };
        Option<string[]> include = CommonOptions.Glob("--include", "Verify layers whose name matches this glob; repeatable, the last matching --include or --exclude wins (default: all)");
        Option<string[]> exclude = CommonOptions.Glob("--exclude", "Leave out layers whose name matches this glob; repeatable, the last match wins (default: none)");
        var report = new Option<string[]>("--report")
        {
            Description = "Also write a report, its form by the ending: .json, .xml (JUnit), .md or .html; repeatable (default: none)",
            HelpName = "FILE",
            Arity = ArgumentArity.OneOrMore,
        };
        var baseline = new Option<string?>("--baseline") { Description = "An earlier .json report: fail where anything got worse (default: none)", HelpName = "FILE" };
        var device = new DeviceOptions();
        Option<int> threads = CommonOptions.Threads();
        Option<long> maxMemory = CommonOptions.MaxMemory();
        var command = new Command("verify", "Prove that a quantized checkpoint is what its source makes, and measure what it cost")
        {
            quantized, source, tokens, seed, outliers, activations, computeDType, maxError, minSnr, maxKernel, maxDiffs, policy, sample, include, exclude,
            report, baseline, device.Choice, device.MaxMemory, threads, maxMemory,
        };
        command.Validators.Add(device.Validate);
        host.Attach(command, (parsed, context) =>
        {
            var defaults = new VerifyRequest { QuantizedPath = context.Locate(parsed.GetRequiredValue(quantized)), SourcePath = context.Locate(parsed.GetRequiredValue(source)) };
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
                    Sample = parsed.GetValue(sample),
                    Patterns = CommonOptions.PatternsInOrder(parsed),
                    BaselinePath = parsed.GetValue(baseline),
                    Device = parsed.ValueOr(device.Choice, defaults.Device),
                    MaxDeviceMemoryBytes = device.MemoryLimit(parsed),
                    Threads = parsed.ValueOr(threads, defaults.Threads),
                    MaxMemoryBytes = parsed.ValueOr(maxMemory, defaults.MaxMemoryBytes),
                },
                parsed.GetValue(report) ?? [],
                context);
        });
        return command;
    }

    private static Option<double?> Limit(string name, Func<System.CommandLine.Parsing.ArgumentResult, double> parse, string description) =>
        new(name) { Description = description, HelpName = "X", CustomParser = result => parse(result) };

    private static ExitCode Execute(VerifyRequest request, string[] reportPaths, CommandContext context)
    {
        var files = new ReportFiles(reportPaths);
        VerificationReport report = VerifyRun.Execute(request, context.Events, context.Cancellation);
        files.Write(report);
        if (reportPaths.Length > 0) context.Outcome = "written: " + string.Join(", ", reportPaths);
        if (context.Json) context.Terminal.Out.Write(VerificationReportJsonLine.Of(report));
        else if (context.Verbosity != Verbosity.Quiet) VerificationScreen.Write(report, context.Terminal, context.Verbosity);
        return report.Passed ? ExitCode.Done : ExitCode.VerificationFailed;
    }
}
