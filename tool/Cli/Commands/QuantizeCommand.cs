using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Inspecting;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Reports;

namespace Bnb.Cli.Commands;

/// <summary>The words of <c>dotnet bnb quantize</c>; <see cref="QuantizeRun"/> does the work.</summary>
internal static class QuantizeCommand
{
    private static readonly string[] ComputeDTypes = ["bfloat16", "float16", "float32"];

    public static Command Create(CommandHost host)
    {
        var source = new Argument<string>("SOURCE")
        {
            Description = "Checkpoint folder, pipeline folder of diffusers, one .safetensors file, or the id of a model in the local Hugging Face cache (org/name, org/name@revision)",
            CustomParser = Choice.FilePath,
        };
        var output = new Option<string?>("--output", "-o")
        {
            Description = "Folder to create for the quantized checkpoint (no default; only a dry run goes without)",
            HelpName = "DIR",
            CustomParser = Choice.FilePath,
        };
        var recipe = new RecipeOptions();
        var computeDType = new Option<string?>("--compute-dtype")
        {
            Description = "nf4 and fp4: bnb_4bit_compute_dtype in config.json: bfloat16, float16 or float32 (default: the source's dtype)",
            HelpName = "DTYPE",
            CustomParser = Choice.Parser(ComputeDTypes.ToDictionary(name => name, name => (string?)name)),
        };
        var sources = new SourceOptions();
        Option<string[]> include = CommonOptions.Pattern("--include", "Quantize tensors whose name matches this glob, or after re: this regular expression, over the built-in rules; repeatable, the last matching --include or --exclude wins (default: none)");
        Option<string[]> exclude = CommonOptions.Pattern("--exclude", "Leave tensors whose name matches this glob, or after re: this regular expression as they are; repeatable, the last match wins (default: none)");
        Option<string[]> overrides = OverrideOptions.Create();
        Option<string?> config = RecipeArguments.Option();
        var printConfig = new Option<bool>("--print-config") { Description = "Print what these options come to as a file for --config, and write nothing (default: off)" };
        var excludeUnaligned = new Option<bool>("--exclude-unaligned")
        {
            Description = "nf4 and fp4: leave out layers whose input size is not a multiple of the block size; they load, but bitsandbytes multiplies them by its fallback. int4 always does (default: off)",
        };
        var quantizeVision = new Option<bool>("--quantize-vision") { Description = "Quantize vision and audio towers of multimodal models too (default: off)" };
        var load = new LoadOptions();
        Option<long> maxShardSize = CommonOptions.MaxShardSize();
        var device = new DeviceOptions();
        Option<int> threads = CommonOptions.Threads();
        Option<long> maxMemory = CommonOptions.MaxMemory();
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Show what would be done and write nothing. With double quantization the weights are read once, because the size is exact to the byte (default: off)",
        };
        Option<bool> overwrite = CommonOptions.Overwrite();
        Option<bool> restart = CommonOptions.Restart();
        var worker = new WorkerOptions(Environment.GetEnvironmentVariable);
        var hashSource = new Option<bool>("--hash-source") { Description = "Read the source's weight files once more and write their SHA-256 to bnb-manifest.json too (default: off)" };
        Option<bool> noChecksums = CommonOptions.NoChecksums();
        Option<bool> followSymlinks = CommonOptions.FollowSymlinks();
        // Not a bool: the parser takes no other word than true and false for one.
        var nonFinite = new Option<string>("--non-finite")
        {
            Description = "What to do with NaN or Inf in a weight to be quantized: error, or keep to do as bitsandbytes does (default: error)",
            HelpName = "WHAT",
            CustomParser = Choice.Parser(new Dictionary<string, string> { ["error"] = "error", ["keep"] = "keep" }),
        };

        var fit = new FitOptions("--dry-run");
        var command = new Command("quantize", "Turn a checkpoint into a 4-bit or 8-bit one") { source, output };
        foreach (Option option in recipe.All) command.Add(option);
        foreach (Option option in (Option[])[
            computeDType, include, exclude, overrides, config, printConfig, excludeUnaligned, quantizeVision, load.Experts, load.LoadsIn, sources.Components, sources.Variant, sources.DType, sources.MergeLora, sources.MinCoverage,
            maxShardSize, device.Choice, device.MaxMemory, threads, maxMemory, dryRun, overwrite, restart,
            worker.Worker, worker.Workers, hashSource, noChecksums, followSymlinks, nonFinite, fit.Fits, fit.Context,
        ]) command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetResult(output) is null && !result.GetValue(dryRun) && !result.GetValue(printConfig)) result.AddError("Option '--output' is required; --dry-run shows what would be done without one");
            recipe.Validate(result, computeDType);
            OverrideOptions.Validate(result, overrides);
            if (recipe.Searches(result) && result.GetResult(nonFinite) is { Implicit: false, Tokens: [.., { Value: "keep" }] })
                result.AddError("--scale search cannot --non-finite keep: no scale is best for values that are not finite");
            device.Validate(result);
            worker.Validate(result, dryRun, restart, noChecksums);
            fit.Validate(result);
        });
        host.Attach(command, (parsed, context) =>
        {
            var defaults = new QuantizeRequest
            {
                SourcePath = context.LocateWhole(parsed.GetRequiredValue(source)),
                OutputPath = parsed.GetValue(output),
            };
            QuantizeRequest request = defaults with
            {
                Recipe = recipe.Recipe(parsed),
                ComputeDType = parsed.GetValue(computeDType),
                Components = parsed.GetValue(sources.Components) ?? [],
                Variant = parsed.GetValue(sources.Variant),
                CastTo = parsed.GetValue(sources.DType),
                ImportancePath = recipe.ImportancePath(parsed),
                Overrides = OverrideOptions.Of(parsed, overrides),
                Patterns = CommonOptions.PatternsInOrder(parsed),
                ExcludeUnaligned = parsed.GetValue(excludeUnaligned),
                QuantizeVision = parsed.GetValue(quantizeVision),
                Experts = load.ExpertsOf(parsed),
                LoadsIn = load.LoadsInOf(parsed),
                AdapterPath = parsed.GetValue(sources.MergeLora),
                MinCoverage = sources.CoverageOf(parsed),
                MaxShardBytes = parsed.ValueOr(maxShardSize, defaults.MaxShardBytes),
                Device = parsed.ValueOr(device.Choice, defaults.Device),
                MaxDeviceMemoryBytes = device.MemoryLimit(parsed),
                Threads = parsed.ThreadsOf(threads),
                MaxMemoryBytes = parsed.ValueOr(maxMemory, defaults.MaxMemoryBytes),
                DryRun = parsed.GetValue(dryRun),
                Overwrite = parsed.GetValue(overwrite),
                Restart = parsed.GetValue(restart),
                Share = worker.Share(parsed),
                HashSource = parsed.GetValue(hashSource),
                Checksums = !parsed.GetValue(noChecksums),
                FollowSymlinks = parsed.GetValue(followSymlinks),
                KeepNonFinite = parsed.GetValue(nonFinite) == "keep",
            };
            if (parsed.GetValue(printConfig)) context.Terminal.Out.Write(context.Json ? RecipeJson.Of(request) : RequestOptions.Text(request));
            else Execute(request, context, fit.Memory(parsed), fit.Tokens(parsed));
        });
        return command;
    }

    /// <param name="memory">Bytes of a GPU to fit; null when not asked.</param>
    /// <param name="tokens">Tokens in its KV cache.</param>
    public static void Execute(QuantizeRequest request, CommandContext context, long? memory = null, int tokens = 1)
    {
        IReadOnlyList<QuantizeSummary> models = QuantizeRun.ExecuteAll(request, context.Events, context.Cancellation);
        if (context.Json)
        {
            foreach (QuantizeSummary summary in models) context.Terminal.Out.Write(QuantizeJson.Of(summary, FitOf(summary)));
        }
        else if (context.Verbosity != Verbosity.Quiet || request.DryRun)
        {
            QuantizeScreen.Write(models, FitOf, context.Terminal, context.Verbosity);
        }

        MemoryFit? FitOf(QuantizeSummary summary) =>
            memory is { } bytes ? MemoryFit.Of(summary.Plan.Source.Config, summary.OutputTensorBytes, bytes, tokens) : null;
    }
}
