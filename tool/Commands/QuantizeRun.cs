using System.Diagnostics;
using Bnb.Formats;
using Bnb.Quant;
using Bnb.Tool.DataTypes;
using Bnb.Tool.Devices;
using Bnb.Tool.Options;
using Bnb.Tool.Pipeline;
using Bnb.Tool.Policy;
using Bnb.Tool.Reports;

namespace Bnb.Tool.Commands;

/// <summary>
/// One quantization from start to end: plan, check the output place, say what is notable, write or rehearse
/// (<see cref="OutputRun"/>), report.
/// </summary>
internal static class QuantizeRun
{
    /// <returns>What was done, for tests and for <c>demo</c>.</returns>
    public static QuantizeSummary Execute(QuantizeRequest request, CommandContext context)
    {
        var watch = Stopwatch.StartNew();
        OutputPlace? place = request.DryRun ? null : OutputPlace.Of(request.OutputPath!);
        KernelPath kernelPath = request.KernelPath ?? OutputRun.SelectedKernelPath();
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: Directory.Exists(request.SourcePath), request.FollowSymlinks);
        QuantizePlan plan = QuantizePlan.Make(request, source);
        if (place is not null) OutputRun.CheckPlace(plan, place, request.SourcePath, request.Overwrite);
        long work = plan.Tensors.Where(tensor => tensor.Quantization is not null).Sum(tensor => tensor.Source.ByteCount);
        bool computes = !request.DryRun || plan.Recipe.SizeDependsOnWeights;
        using ComputeEngine engine = computes
            ? DeviceSelector.Open(
                new DeviceNeed(request.Device, request.MaxDeviceMemoryBytes, work, request.Threads, CpuOnly(plan.Recipe), plan.Recipe is Int4Recipe),
                kernelPath,
                context.Log)
            : new CpuEngine(kernelPath);
        MemoryBudget budget = MemoryBudget.Divide(
            BufferNeeds.OfQuantize(plan.Tensors), request.Threads, request.MaxMemoryBytes, engine.PreferredChunkValues);
        Announce(plan, request, budget, engine, context);

        var options = new OutputOptions(budget, engine, request.KeepNonFinite);
        PipelineResult result = place is not null
            ? OutputRun.Write(plan, options, place, request.Overwrite, context)
            // Without double quantization the headers already say everything about sizes.
            : computes ? OutputRun.Rehearse(plan, options, context) : SizesOnly(plan);
        var summary = new QuantizeSummary(plan, request, engine, result.Shards, watch.Elapsed);
        if (context.Json) context.Terminal.Out.Write(QuantizeReport.Json(summary));
        else if (context.Verbosity != Verbosity.Quiet || request.DryRun) QuantizeReport.WriteTables(summary, context.Terminal, context.Verbosity);
        return summary;
    }

    private static string? CpuOnly(QuantizeRecipe recipe) => recipe is Int4Recipe ? "quantizing to int4" : null;

    private static PipelineResult SizesOnly(QuantizePlan plan) => new(
        [.. plan.Shards.Select(shard => new ShardResult(
            shard.MaximumLength,
            shard.MaximumLength - shard.HeaderLength,
            [.. shard.Outputs.Where(output => output.Role == OutputRole.QuantState).Select(output => (int)output.Info.ByteCount)]))],
        []);

    private static void Announce(
        QuantizePlan plan, QuantizeRequest request, MemoryBudget budget, ComputeEngine engine, CommandContext context)
    {
        foreach (string note in plan.Source.Notes.Concat(plan.Policy.Notes)) context.Log.Warning("{Note:l}", DisplayText.Escape(note));
        if (plan.Policy.FusedExperts.Count > 0)
        {
            long bytes = plan.Policy.FusedExperts.Sum(expert => expert.ByteCount);
            context.Log.Warning(
                "{Count} fused 3-D expert tensors stay unquantized: there is no quantized form for them. They are {Share:P1} of the source ({Bytes:l}), first {Name:l}",
                plan.Policy.FusedExperts.Count,
                (double)bytes / plan.SourceTensorBytes,
                ByteSize.Format(bytes),
                DisplayText.Escape(plan.Policy.FusedExperts[0].Name));
        }

        var unaligned = plan.Policy.Decisions.Where(decision => decision.Unaligned && decision.Action == TensorAction.Quantize).ToList();
        if (unaligned.Count > 0)
        {
            context.Log.Warning(
                "{Count} layers have an input size that is not a multiple of {Blocksize}: they load, but bitsandbytes multiplies them by its fallback; --exclude-unaligned leaves them out. First {Name:l}",
                unaligned.Count,
                plan.Recipe.Blocksize,
                DisplayText.Escape(unaligned[0].Tensor.Name));
        }

        WarnOfLayouts(plan, context);
        if (plan.QuantizedParameterCount == 0) context.Log.Warning("no tensor of this checkpoint is quantized");
        if (plan.ConfigBytes is null) context.Log.Warning("no config.json beside the source: loaders need one with a quantization_config");
        context.Log.Debug(
            "kernel path {Path}, {Workers} workers, {Chunk} values per chunk, output {Output}",
            engine.Path, budget.Workers, budget.ChunkValues, request.OutputPath);
        foreach (string name in plan.Source.SideFiles.LeftOut) context.Log.Information("not copied: {Name:l}", DisplayText.Escape(name));
        foreach (TensorPlan tensor in plan.Tensors)
        {
            context.Log.Debug(
                "{Name:l}: {Rule:l}, {Reason:l}", DisplayText.Escape(tensor.Source.Name), tensor.Decision.Rule, tensor.Decision.Reason);
        }
    }

    /// <summary>INT4 forms that are right and that vLLM does not take.</summary>
    private static void WarnOfLayouts(QuantizePlan plan, CommandContext context)
    {
        if (plan.Recipe is not Int4Recipe { Symmetric: false }) return;
        var cut = plan.Tensors.Where(tensor => tensor.Quantization?.Rows % Int4Quantization.PerWord > 0).ToList();
        if (cut.Count == 0) return;
        context.Log.Warning(
            "{Count} layers have an output size that is not a multiple of 8, for which vLLM allocates one word of zero points too few; --symmetric true has none. First {Name:l}",
            cut.Count,
            DisplayText.Escape(cut[0].Source.Name));
    }
}
