using System.Diagnostics;
using Bnb.Formats;
using Bnb.Quant;
using Bnb.Tool.Errors;
using Bnb.Tool.Options;
using Bnb.Tool.Pipeline;
using Bnb.Tool.Policy;
using Bnb.Tool.Reports;
using Bnb.Tool.Terminal;

namespace Bnb.Tool.Commands;

/// <summary>
/// One quantization from start to end: plan, check the output place, run the pipeline into a staging folder, add side
/// files, index and last config.json, make it visible, report.
/// </summary>
internal static class QuantizeRun
{
    /// <returns>What was done, for tests and for <c>demo</c>.</returns>
    public static QuantizeSummary Execute(QuantizeRequest request, CommandContext context)
    {
        var watch = Stopwatch.StartNew();
        OutputPlace? place = request.DryRun ? null : OutputPlace.Of(request.OutputPath!);
        request = request with { KernelPath = request.KernelPath ?? SelectedKernelPath() };
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: Directory.Exists(request.SourcePath), request.FollowSymlinks);
        QuantizePlan plan = QuantizePlan.Make(request, source);
        MemoryBudget budget = MemoryBudget.Divide(plan.Tensors, plan.Recipe, request.Threads, request.MaxMemoryBytes);
        if (place is not null) CheckOutput(plan, place, request);
        Announce(plan, request, budget, context);

        PipelineResult result = place is null
            ? RunPipeline(plan, request, budget, null, context)
            : Write(plan, request, place, budget, context);
        foreach (string name in result.CopiedNonFinite)
            context.Log.Warning("{Tensor} holds NaN or Inf and was copied as it is", DisplayText.Escape(name));

        var summary = new QuantizeSummary(plan, request, result.Shards, watch.Elapsed);
        if (context.Json) context.Terminal.Out.Write(QuantizeReport.Json(summary));
        else if (context.Verbosity != Verbosity.Quiet || request.DryRun) QuantizeReport.WriteTables(summary, context.Terminal, context.Verbosity);
        return summary;
    }

    private static void CheckOutput(QuantizePlan plan, OutputPlace place, QuantizeRequest request) => OutputCheck.Run(
        place,
        Path.GetFullPath(request.SourcePath),
        [.. plan.Source.Files.Select(file => Path.GetFullPath(file.Path)), .. plan.Source.SideFiles.Copied.Select(file => Path.GetFullPath(file.Path))],
        request.Overwrite,
        plan.MaximumOutputBytes);

    private static KernelPath SelectedKernelPath()
    {
        try
        {
            return KernelPaths.Selected;
        }
        catch (InvalidOperationException unknown)
        {
            throw new UserErrorException(ExitCode.Usage, "USAGE", unknown.Message, unknown)
            {
                Action = $"unset {KernelPaths.Variable}, or name one of these paths",
            };
        }
    }

    private static PipelineResult Write(
        QuantizePlan plan, QuantizeRequest request, OutputPlace place, MemoryBudget budget, CommandContext context)
    {
        using StagingFolder staging = StagingFolder.Create(place, request.Overwrite);
        PipelineResult result = RunPipeline(plan, request, budget, staging, context);
        foreach (var file in plan.Source.SideFiles.Copied) staging.CopyFile(file.Path, file.RelativeName);
        byte[] index = plan.IndexBytes(result.Shards.Sum(shard => shard.TensorBytes));
        if (index.Length > 0) staging.WriteFile(plan.IndexName, index);
        context.Cancellation.ThrowIfCancellationRequested();
        foreach (CheckpointFile file in plan.Source.Files) InputCheck.ThrowIfChanged(file);
        // Without config.json no loader takes a folder for a model: it comes last.
        if (plan.ConfigBytes is { } config) staging.WriteFile("config.json", config);
        try
        {
            staging.Commit();
        }
        finally
        {
            if (staging.Committed) context.Outcome = $"the output is complete: {place.Path}";
        }

        return result;
    }

    private static PipelineResult RunPipeline(
        QuantizePlan plan, QuantizeRequest request, MemoryBudget budget, StagingFolder? staging, CommandContext context)
    {
        // Without double quantization the headers already say everything about sizes.
        if (staging is null && !plan.Recipe.DoubleQuant) return SizesOnly(plan);
        using var source = new TensorSource(plan.Tensors);
        var progress = new PipelineProgress(plan.SourceTensorBytes);
        int scratchFiles = 0;
        var pipeline = new PipelineContext(
            plan.Recipe,
            request.KernelPath!.Value,
            request.KeepNonFinite,
            Writes: staging is not null,
            budget,
            source,
            progress,
            () => staging!.ScratchPath(Interlocked.Increment(ref scratchFiles)));
        Func<ShardPlan, int, IShardSink> openSink = staging is null
            ? (shard, _) => new DiscardSink(shard)
            : (shard, index) => new ShardFile(shard, index, staging);
        using ProgressDisplay? display =
            context.Verbosity == Verbosity.Quiet ? null : ProgressDisplay.Start(context.Terminal, progress);
        return QuantizePipeline.Run(pipeline, plan.Shards, openSink, context.Cancellation);
    }

    private static PipelineResult SizesOnly(QuantizePlan plan) => new(
        [.. plan.Shards.Select(shard => new ShardResult(
            shard.MaximumLength,
            shard.MaximumLength - shard.HeaderLength,
            [.. shard.Outputs.Where(output => output.Role == OutputRole.QuantState).Select(output => (int)output.Info.ByteCount)]))],
        []);

    private static void Announce(QuantizePlan plan, QuantizeRequest request, MemoryBudget budget, CommandContext context)
    {
        foreach (string note in plan.Source.Notes.Concat(plan.Policy.Notes)) context.Log.Warning("{Note:l}", DisplayText.Escape(note));
        if (plan.Policy.FusedExperts.Count > 0)
        {
            long bytes = plan.Policy.FusedExperts.Sum(expert => expert.ByteCount);
            context.Log.Warning(
                "{Count} fused 3-D expert tensors stay unquantized: bitsandbytes has no form for them. They are {Share:P1} of the source ({Bytes:l}), first {Name:l}",
                plan.Policy.FusedExperts.Count,
                (double)bytes / plan.SourceTensorBytes,
                ByteSize.Format(bytes),
                DisplayText.Escape(plan.Policy.FusedExperts[0].Name));
        }

        var unaligned = plan.Policy.Decisions.Where(decision => decision.Unaligned && decision.Action == TensorAction.Quantize).ToList();
        if (unaligned.Count > 0)
        {
            context.Log.Warning(
                "{Count} layers have an input size that is not a multiple of {Blocksize}: they load, but run slower; --exclude-unaligned leaves them out. First {Name:l}",
                unaligned.Count,
                plan.Recipe.Blocksize,
                DisplayText.Escape(unaligned[0].Tensor.Name));
        }

        if (plan.QuantizedParameterCount == 0) context.Log.Warning("no tensor of this checkpoint is quantized");
        if (plan.ConfigBytes is null) context.Log.Warning("no config.json beside the source: loaders need one with a quantization_config");
        context.Log.Debug(
            "kernel path {Path}, {Workers} workers, {Chunk} values per chunk, output {Output}",
            request.KernelPath, budget.Workers, budget.ChunkValues, request.OutputPath);
        foreach (string name in plan.Source.SideFiles.LeftOut) context.Log.Information("not copied: {Name:l}", DisplayText.Escape(name));
        foreach (TensorPlan tensor in plan.Tensors)
        {
            context.Log.Debug(
                "{Name:l}: {Rule:l}, {Reason:l}", DisplayText.Escape(tensor.Source.Name), tensor.Decision.Rule, tensor.Decision.Reason);
        }
    }
}
