using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Output;

/// <summary>How an output plan is carried out, whatever it makes.</summary>
/// <param name="KeepNonFinite">True to quantize NaN and Inf as bitsandbytes does.</param>
internal sealed record OutputOptions(MemoryBudget Budget, ComputeEngine Engine, bool KeepNonFinite);

/// <summary>
/// Carries out an output plan: the pipeline into a staging folder, then side files, index and last config.json, then one
/// commit that makes it visible. Or the pipeline alone, writing nothing, for a dry run.
/// </summary>
internal static class OutputRun
{
    public static PipelineResult Write(
        OutputPlan plan, OutputOptions options, OutputPlace place, bool overwrite, IRunEvents events, CancellationToken cancellation)
    {
        using StagingFolder staging = StagingFolder.Create(place, overwrite);
        int scratchFiles = 0;
        PipelineResult result = Pipeline(
            plan, options, (shard, index) => new ShardFile(shard, index, staging),
            () => staging.ScratchPath(Interlocked.Increment(ref scratchFiles)), events, cancellation);
        byte[]? card = plan.CardBytes;
        foreach (var file in plan.Source.SideFiles.Copied.Where(file => card is null || file.RelativeName != OutputPlan.CardName))
            staging.CopyFile(file.Path, file.RelativeName);
        if (card is not null) staging.WriteFile(OutputPlan.CardName, card);
        byte[] index = plan.IndexBytes(result.Shards.Sum(shard => shard.TensorBytes));
        if (index.Length > 0) staging.WriteFile(plan.IndexName, index);
        cancellation.ThrowIfCancellationRequested();
        foreach (CheckpointFile file in plan.Source.Files) InputCheck.ThrowIfChanged(file);
        // Without config.json no loader takes a folder for a model: it comes last.
        if (plan.ConfigBytes is { } config) staging.WriteFile("config.json", config);
        try
        {
            staging.Commit();
        }
        finally
        {
            if (staging.Committed) events.Outcome($"the output is complete: {place.Path}");
        }

        return result;
    }

    /// <summary>Refuses an output place that holds the input or anything else, or has too little room.</summary>
    public static void CheckPlace(OutputPlan plan, OutputPlace place, string sourcePath, bool overwrite) => OutputCheck.Run(
        place,
        Path.GetFullPath(sourcePath),
        [
            .. plan.Source.Files.Select(file => Path.GetFullPath(file.Path)),
            .. plan.Source.SideFiles.Copied.Select(file => Path.GetFullPath(file.Path)),
        ],
        overwrite,
        plan.MaximumOutputBytes);

    /// <summary>Reads and computes everything, writes nothing.</summary>
    public static PipelineResult Rehearse(OutputPlan plan, OutputOptions options, IRunEvents events, CancellationToken cancellation) => Pipeline(
        plan, options, (shard, _) => new DiscardSink(shard), scratchPath: null, events, cancellation);

    private static PipelineResult Pipeline(
        OutputPlan plan, OutputOptions options, Func<ShardPlan, int, IShardSink> openSink, Func<string>? scratchPath, IRunEvents events,
        CancellationToken cancellation)
    {
        using var source = new TensorSource(plan.Tensors);
        var progress = new PipelineProgress(plan.SourceTensorBytes);
        var pipeline = new PipelineContext(
            options.Engine, options.KeepNonFinite, Writes: scratchPath is not null, options.Budget, source, progress,
            scratchPath ?? (() => throw new InvalidOperationException("a dry run needs no scratch file")));
        PipelineResult result;
        using (events.Watch(progress))
            result = TensorPipeline.Run(pipeline, plan.Shards, DataTypeCatalog.RunOf, openSink, cancellation);
        foreach (string name in result.CopiedNonFinite)
            events.Warning($"\"{DisplayText.Escape(name)}\" holds NaN or Inf and was copied as it is");
        return result;
    }
}
