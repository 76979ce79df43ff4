using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Dequantizing;
using Bnb.Engine.Reports;
using Bnb.Quant.Numerics;

namespace Bnb.Cli.Commands;

/// <summary><c>dotnet bnb dequantize</c>: a quantized checkpoint back to a plain one, streaming.</summary>
internal static class DequantizeCommand
{
    public static Command Create(CommandHost host)
    {
        var source = new Argument<string>("QUANTIZED") { Description = "Checkpoint folder, diffusers pipeline or .safetensors file that anyone quantized to nf4, fp4, int8, int4, FP8, MXFP4, NVFP4, GPTQ or AWQ", CustomParser = Choice.FilePath };
        var output = new Option<string>("--output", "-o") { Description = "Folder to create for the plain checkpoint (no default)", HelpName = "DIR", Required = true, CustomParser = Choice.FilePath };
        var dtype = new Option<ElementType?>("--dtype")
        {
            Description = "dtype of the dequantized weights: bfloat16, float16 or float32 (default: the one each was quantized from)",
            HelpName = "DTYPE",
            CustomParser = Choice.FloatType,
        };
        Option<long> maxShardSize = CommonOptions.MaxShardSize();
        Option<int> threads = CommonOptions.Threads();
        Option<long> maxMemory = CommonOptions.MaxMemory();
        var device = new DeviceOptions();
        Option<bool> overwrite = CommonOptions.Overwrite();
        Option<bool> restart = CommonOptions.Restart();
        Option<bool> noChecksums = CommonOptions.NoChecksums();
        Option<bool> followSymlinks = CommonOptions.FollowSymlinks();
        var command = new Command("dequantize", "Turn a quantized checkpoint back into a plain one")
        {
            source, output, dtype, maxShardSize, device.Choice, device.MaxMemory, threads, maxMemory, overwrite, restart, noChecksums, followSymlinks,
        };
        command.Validators.Add(device.Validate);
        host.Attach(command, (parsed, context) =>
        {
            var defaults = new DequantizeRequest
            {
                SourcePath = context.LocateWhole(parsed.GetRequiredValue(source)),
                OutputPath = parsed.GetRequiredValue(output),
            };
            Execute(
                defaults with
                {
                    Type = parsed.GetValue(dtype),
                    MaxShardBytes = parsed.ValueOr(maxShardSize, defaults.MaxShardBytes),
                    Device = parsed.ValueOr(device.Choice, defaults.Device),
                    MaxDeviceMemoryBytes = device.MemoryLimit(parsed),
                    Threads = parsed.ThreadsOf(threads),
                    MaxMemoryBytes = parsed.ValueOr(maxMemory, defaults.MaxMemoryBytes),
                    Overwrite = parsed.GetValue(overwrite),
                    Restart = parsed.GetValue(restart),
                    Checksums = !parsed.GetValue(noChecksums),
                    FollowSymlinks = parsed.GetValue(followSymlinks),
                },
                context);
        });
        return command;
    }

    private static void Execute(DequantizeRequest request, CommandContext context)
    {
        IReadOnlyList<DequantizeSummary> models = DequantizeRun.ExecuteAll(request, context.Events, context.Cancellation);
        if (context.Json)
        {
            foreach (DequantizeSummary summary in models) context.Terminal.Out.Write(DequantizeJson.Of(summary));
        }
        else if (context.Verbosity != Verbosity.Quiet)
        {
            DequantizeScreen.Write(models, context.Terminal, context.Verbosity);
        }
    }
}
