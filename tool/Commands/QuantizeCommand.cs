using System.CommandLine;
using Bnb.Formats;
using Bnb.Quant;
using Bnb.Tool.Options;
using Bnb.Tool.Pipeline;

namespace Bnb.Tool.Commands;

/// <summary>The words of <c>dotnet bnb quantize</c>; <see cref="QuantizeRun"/> does the work.</summary>
internal static class QuantizeCommand
{
    private static readonly int[] Blocksizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];
    private static readonly string[] ComputeDTypes = ["bfloat16", "float16", "float32"];

    public static Command Create(CommandHost host)
    {
        var source = new Argument<string>("SOURCE")
        {
            Description = "Checkpoint folder (model.safetensors, or shards with an index), or one .safetensors file",
            CustomParser = Choice.FilePath,
        };
        var output = new Option<string?>("--output", "-o")
        {
            Description = "Folder to create for the quantized checkpoint (no default; only a dry run goes without)",
            HelpName = "DIR",
            CustomParser = Choice.FilePath,
        };
        var type = new Option<Code4>("--type", "-t")
        {
            Description = "4-bit data type: nf4 or fp4 (default: nf4)",
            HelpName = "TYPE",
            CustomParser = Choice.Parser(Code4Catalog.All.ToDictionary(code => code.Name)),
        };
        var blocksize = new Option<int>("--block-size")
        {
            Description = "Values that share one absmax scale: 32, 64, 128, 256, 512, 1024, 2048 or 4096 (default: 64)",
            HelpName = "N",
            CustomParser = Choice.Parser(Blocksizes.ToDictionary(size => size.ToString())),
        };
        var doubleQuant = new Option<bool>("--double-quant")
        {
            Description = "Quantize the absmax scales too, saving 0.37 bit per parameter at block size 64: true or false (default: true)",
            HelpName = "BOOL",
            Arity = ArgumentArity.ExactlyOne,
            CustomParser = Choice.Parser(new Dictionary<string, bool> { ["true"] = true, ["false"] = false }),
        };
        var computeDType = new Option<string?>("--compute-dtype")
        {
            Description = "bnb_4bit_compute_dtype in config.json: bfloat16, float16 or float32 (default: the source's dtype)",
            HelpName = "DTYPE",
            CustomParser = Choice.Parser(ComputeDTypes.ToDictionary(name => name, name => (string?)name)),
        };
        var quantStorage = new Option<DType>("--quant-storage")
        {
            Description = "dtype the packed bytes are declared as: uint8, bfloat16, float16 or float32; others than uint8 are for FSDP only (default: uint8)",
            HelpName = "DTYPE",
            CustomParser = Choice.Parser(new Dictionary<string, DType>
            {
                ["uint8"] = DType.U8,
                ["bfloat16"] = DType.BF16,
                ["float16"] = DType.F16,
                ["float32"] = DType.F32,
            }),
        };
        Option<string[]> include = CommonOptions.Glob("--include", "Quantize tensors whose name matches this glob, over the built-in rules; repeatable, the last matching --include or --exclude wins (default: none)");
        Option<string[]> exclude = CommonOptions.Glob("--exclude", "Leave tensors whose name matches this glob as they are; repeatable, the last match wins (default: none)");
        var excludeUnaligned = new Option<bool>("--exclude-unaligned")
        {
            Description = "Leave out layers whose input size is not a multiple of the block size; they load, but bitsandbytes multiplies them by its fallback (default: off)",
        };
        var quantizeVision = new Option<bool>("--quantize-vision") { Description = "Quantize vision and audio towers of multimodal models too (default: off)" };
        Option<long> maxShardSize = CommonOptions.MaxShardSize();
        Option<int> threads = CommonOptions.Threads();
        Option<long> maxMemory = CommonOptions.MaxMemory();
        var dryRun = new Option<bool>("--dry-run")
        {
            Description = "Show what would be done and write nothing. With double quantization the weights are read once, because the size is exact to the byte (default: off)",
        };
        Option<bool> overwrite = CommonOptions.Overwrite();
        Option<bool> followSymlinks = CommonOptions.FollowSymlinks();
        // Not a bool: the parser takes no other word than true and false for one.
        var nonFinite = new Option<string>("--non-finite")
        {
            Description = "What to do with NaN or Inf in a weight to be quantized: error, or keep to do as bitsandbytes does (default: error)",
            HelpName = "WHAT",
            CustomParser = Choice.Parser(new Dictionary<string, string> { ["error"] = "error", ["keep"] = "keep" }),
        };

        var command = new Command("quantize", "Turn a checkpoint into a bitsandbytes 4-bit one")
        {
            source, output, type, blocksize, doubleQuant, computeDType, quantStorage, include, exclude, excludeUnaligned, quantizeVision,
            maxShardSize, threads, maxMemory, dryRun, overwrite, followSymlinks, nonFinite,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(output) is null && !result.GetValue(dryRun)) result.AddError("Option '--output' is required");
        });
        host.Attach(command, (parsed, context) =>
        {
            var defaults = new QuantizeRequest
            {
                SourcePath = parsed.GetRequiredValue(source),
                OutputPath = parsed.GetValue(output),
            };
            QuantizeRequest request = defaults with
            {
                Code = parsed.ValueOr(type, defaults.Code),
                Blocksize = parsed.ValueOr(blocksize, defaults.Blocksize),
                DoubleQuant = parsed.ValueOr(doubleQuant, defaults.DoubleQuant),
                ComputeDType = parsed.GetValue(computeDType),
                QuantStorage = parsed.ValueOr(quantStorage, defaults.QuantStorage),
                Patterns = CommonOptions.PatternsInOrder(parsed),
                ExcludeUnaligned = parsed.GetValue(excludeUnaligned),
                QuantizeVision = parsed.GetValue(quantizeVision),
                MaxShardBytes = parsed.ValueOr(maxShardSize, defaults.MaxShardBytes),
                Threads = parsed.ValueOr(threads, defaults.Threads),
                MaxMemoryBytes = parsed.ValueOr(maxMemory, defaults.MaxMemoryBytes),
                DryRun = parsed.GetValue(dryRun),
                Overwrite = parsed.GetValue(overwrite),
                FollowSymlinks = parsed.GetValue(followSymlinks),
                KeepNonFinite = parsed.GetValue(nonFinite) == "keep",
            };
            QuantizeRun.Execute(request, context);
        });
        return command;
    }
}
