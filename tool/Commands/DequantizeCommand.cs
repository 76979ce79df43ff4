using System.CommandLine;
using System.Diagnostics;
using Bnb.Formats;
using Bnb.Formats.CompressedTensors;
using Bnb.Quant;
using Bnb.Tool.Devices;
using Bnb.Tool.Options;
using Bnb.Tool.Pipeline;
using Bnb.Tool.Reports;

namespace Bnb.Tool.Commands;

/// <summary><c>dotnet bnb dequantize</c>: a quantized checkpoint back to a plain one, streaming.</summary>
internal static class DequantizeCommand
{
    public static Command Create(CommandHost host)
    {
        var source = new Argument<string>("QUANTIZED") { Description = "Checkpoint folder or .safetensors file that bitsandbytes, this tool or anyone else quantized to nf4, fp4, int8 or int4", CustomParser = Choice.FilePath };
        var output = new Option<string>("--output", "-o") { Description = "Folder to create for the plain checkpoint (no default)", HelpName = "DIR", Required = true, CustomParser = Choice.FilePath };
        var dtype = new Option<ElementType?>("--dtype")
        {
            Description = "dtype of the dequantized weights: bfloat16, float16 or float32 (default: the one each was quantized from)",
            HelpName = "DTYPE",
            CustomParser = Choice.Parser(new Dictionary<string, ElementType?>
            {
                ["bfloat16"] = ElementType.BF16,
                ["float16"] = ElementType.F16,
                ["float32"] = ElementType.F32,
            }),
        };
        Option<long> maxShardSize = CommonOptions.MaxShardSize();
        Option<int> threads = CommonOptions.Threads();
        Option<long> maxMemory = CommonOptions.MaxMemory();
        var device = new DeviceOptions();
        Option<bool> overwrite = CommonOptions.Overwrite();
        Option<bool> followSymlinks = CommonOptions.FollowSymlinks();
        var command = new Command("dequantize", "Turn a quantized checkpoint back into a plain one")
        {
            source, output, dtype, maxShardSize, device.Choice, device.MaxMemory, threads, maxMemory, overwrite, followSymlinks,
        };
        command.Validators.Add(device.Validate);
        host.Attach(command, (parsed, context) =>
        {
            var defaults = new DequantizeRequest
            {
                SourcePath = parsed.GetRequiredValue(source),
                OutputPath = parsed.GetRequiredValue(output),
            };
            Execute(
                defaults with
                {
                    Type = parsed.GetValue(dtype),
                    MaxShardBytes = parsed.ValueOr(maxShardSize, defaults.MaxShardBytes),
                    Device = parsed.ValueOr(device.Choice, defaults.Device),
                    MaxDeviceMemoryBytes = device.MemoryLimit(parsed),
                    Threads = parsed.ValueOr(threads, defaults.Threads),
                    MaxMemoryBytes = parsed.ValueOr(maxMemory, defaults.MaxMemoryBytes),
                    Overwrite = parsed.GetValue(overwrite),
                    FollowSymlinks = parsed.GetValue(followSymlinks),
                },
                context);
        });
        return command;
    }

    public static void Execute(DequantizeRequest request, CommandContext context)
    {
        var watch = Stopwatch.StartNew();
        OutputPlace place = OutputPlace.Of(request.OutputPath);
        KernelPath kernelPath = request.KernelPath ?? OutputRun.SelectedKernelPath();
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: Directory.Exists(request.SourcePath), request.FollowSymlinks);
        DequantizePlan plan = DequantizePlan.Make(request, source);
        OutputRun.CheckPlace(plan, place, request.SourcePath, request.Overwrite);
        long work = plan.Tensors.Sum(tensor => tensor.Dequantization?.OutputBytes ?? 0);
        List<QuantizedWeight> weights = [.. plan.Tensors.Select(tensor => tensor.Dequantization?.Weight).OfType<QuantizedWeight>()];
        string? cpuOnly = weights.Any(weight => weight is Int4Weight) ? "decoding int4" : null;
        using ComputeEngine engine = DeviceSelector.Open(
            new DeviceNeed(request.Device, request.MaxDeviceMemoryBytes, work, request.Threads, cpuOnly, weights.All(weight => weight is Int4Weight)),
            kernelPath, context.Log);
        MemoryBudget budget = MemoryBudget.Divide(
            BufferNeeds.OfDequantize(plan.Tensors), request.Threads, request.MaxMemoryBytes, engine.PreferredChunkValues);
        foreach (string note in plan.Source.Notes) context.Log.Warning("{Note:l}", DisplayText.Escape(note));

        PipelineResult result = OutputRun.Write(plan, new OutputOptions(budget, engine, KeepNonFinite: true), place, request.Overwrite, context);
        var summary = new DequantizeSummary(plan, place, engine, result.Shards, watch.Elapsed);
        if (context.Json) context.Terminal.Out.Write(DequantizeReport.Json(summary));
        else if (context.Verbosity != Verbosity.Quiet) DequantizeReport.WriteTables(summary, context.Terminal, context.Verbosity);
    }
}

/// <summary>What a dequantization did.</summary>
internal sealed record DequantizeSummary(DequantizePlan Plan, OutputPlace Place, ComputeEngine Engine, IReadOnlyList<ShardResult> Shards, TimeSpan Elapsed)
{
    /// <summary>Bytes of the output's weight files, headers included.</summary>
    public long OutputFileBytes => Shards.Sum(shard => shard.FileLength);
}
