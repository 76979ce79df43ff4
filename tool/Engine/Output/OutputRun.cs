using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;

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
    /// <summary>Refuses an output place that holds the input or anything else, or has too little room.</summary>
    /// <returns>False when a complete output of the same plan is there already.</returns>
    public static bool CheckPlace(OutputPlan plan, PlanRecord record, OutputPlace place, string sourcePath, WriteMode mode) => OutputCheck.Run(
        place,
        Path.GetFullPath(sourcePath),
        [
            .. plan.SourceFiles.Select(source => Path.GetFullPath(source.File.Path)),
            .. plan.SideFiles.Copied.Select(file => Path.GetFullPath(file.Path)),
        ],
        mode,
        plan,
        record);

    /// <summary>Indexes of the shards that fall to a worker.</summary>
    public static IReadOnlyList<int> ShareOf(OutputPlan plan, WorkerShare? share) =>
        (share ?? WorkerShare.Whole).Of([.. plan.Shards.Select(shard => shard.SourceBytes)]);

    /// <summary>Makes the run's share of the output, and commits when that was all there was left to make.</summary>
    public static OutputResult Write(
        OutputPlan plan, PlanRecord record, OutputOptions options, OutputPlace place, WriteMode mode, IRunEvents events, CancellationToken cancellation)
    {
        try
        {
            OutputResult result = WriteShare(plan, record, options, place, mode, events, cancellation);
            bool byAnother = result.State == OutputState.ShareDone && FinishedOutput.IsAt(place, plan, record);
            return byAnother ? result with { State = OutputState.Committed } : result;
        }
        catch (Exception gone) when (mode.Shared
            && gone is IOException or CheckpointFormatException { Error: FormatError.FileMissing } or UserErrorException { Exit: ExitCode.Locked or ExitCode.CannotResume }
            && FinishedOutput.IsAt(place, plan, record))
        {
            // Another worker committed while this one looked at the staging folder.
            return FinishedOutput.Result(place, [.. ShareOf(plan, mode.Share).Select(index => plan.Shards[index])]);
        }
    }

    private static OutputResult WriteShare(
        OutputPlan plan, PlanRecord record, OutputOptions options, OutputPlace place, WriteMode mode, IRunEvents events, CancellationToken cancellation)
    {
        var inputs = SmallInputs.Of(plan.SmallInputs);
        using StagingFolder staging = StagingFolder.Open(place, record, SourceRecord.StateOf(plan.SourceFiles.Select(source => source.File)), mode, events);
        OutputState state = OutputState.ShareDone;
        try
        {
            IReadOnlyList<int> share = ShareOf(plan, mode.Share);
            IReadOnlyDictionary<int, ShardResult> reused = StagedShards.Check(staging, plan.Shards, share, options.Budget.Workers, events, cancellation);
            if (!mode.Shared && staging.Earlier.Names.Count > 0)
                events.Information($"an earlier run of this command ended before the output was complete: {reused.Count} of {plan.Shards.Count} weight files are taken over");
            StageSmallFiles(plan, staging, cancellation);
            List<int> left = [.. share.Where(index => !reused.ContainsKey(index))];
            int scratchFiles = 0;
            PipelineResult made = Pipeline(
                plan, options, [.. left.Select(index => plan.Shards[index])], (shard, index) => new ShardFile(shard, left[index], staging, mode.Checksums),
                () => staging.ScratchPath(Interlocked.Increment(ref scratchFiles)), events, cancellation);
            HashSources(plan, staging, mode, cancellation);
            cancellation.ThrowIfCancellationRequested();
            foreach (NamedFile source in plan.SourceFiles) InputCheck.ThrowIfChanged(source.File);
            inputs.ThrowIfChanged();
            if (CommitIfComplete(staging, share.Select(index => plan.Shards[index].FileName).ToHashSet(StringComparer.Ordinal), options.Budget.Workers, cancellation)) state = OutputState.Committed;
            Dictionary<int, ShardResult> results = new(reused);
            for (int i = 0; i < left.Count; i++) results[left[i]] = made.Shards[i];
            return new OutputResult([.. share.Select(index => results[index])], reused.Count, state);
        }
        catch (Exception failure)
        {
            staging.Discard = !IsWorthGoingOn(failure);
            throw;
        }
        finally
        {
            if (staging.Committed) events.Outcome($"the output is complete: {place.Path}");
            // Somebody may have deleted it, which is why the run ended.
            else if (staging.Finished > 0 && !staging.Discard && Directory.Exists(staging.Path))
                events.Outcome($"{staging.Finished} of {plan.Shards.Count} weight files are kept in {staging.Path}; the same command goes on from there");
        }
    }

    /// <summary>Reads and computes everything, writes nothing.</summary>
    public static PipelineResult Rehearse(OutputPlan plan, OutputOptions options, IRunEvents events, CancellationToken cancellation) => Pipeline(
        plan, options, plan.Shards, (shard, _) => new DiscardSink(shard), scratchPath: null, events, cancellation);

    private static PipelineResult Pipeline(
        OutputPlan plan, OutputOptions options, IReadOnlyList<ShardPlan> shards, Func<ShardPlan, int, IShardSink> openSink, Func<string>? scratchPath,
        IRunEvents events, CancellationToken cancellation)
    {
        if (plan.Shards.Count > 0 && shards.Count == 0) return new PipelineResult([], []);
        using var source = new TensorSource(shards.SelectMany(shard => shard.Tensors), DataTypeCatalog.InputsOn(options.Engine));
        var progress = new PipelineProgress(shards.Sum(shard => shard.SourceBytes));
        var pipeline = new PipelineContext(
            options.Engine, options.KeepNonFinite, Writes: scratchPath is not null, options.Budget, source, progress,
            scratchPath ?? (() => throw new InvalidOperationException("a dry run needs no scratch file")));
        PipelineResult result;
        using (events.Watch(progress))
            result = TensorPipeline.Run(pipeline, shards, DataTypeCatalog.RunOf, openSink, cancellation);
        foreach (string name in result.CopiedNonFinite)
            events.Warning($"\"{DisplayText.Escape(name)}\" holds NaN or Inf and was copied as it is");
        return result;
    }

    /// <summary>Side files and configs, so that whoever commits needs nothing but the staging folder.</summary>
    private static void StageSmallFiles(OutputPlan plan, StagingFolder staging, CancellationToken cancellation)
    {
        Dictionary<string, FileRecord> records = staging.Plan.SmallFiles.ToDictionary(file => file.Name, StringComparer.Ordinal);
        foreach (SideFile file in plan.CopiedFiles)
        {
            if (Absent(file.RelativeName) is { } name) staging.CopyFile(file.Path, name, cancellation);
        }

        foreach ((string name, byte[] content) in plan.MadeFiles)
        {
            if (Absent(name) is { } staged) staging.WriteFile(staged, content);
        }

        // The name to write it under, unless an earlier run has.
        string? Absent(string name) => OutputCommit.StagedName(staging.Plan, name) is var staged && records[name].IsAt(Path.Combine(staging.Path, staged), cancellation) ? null : staged;
    }

    /// <summary>Reads source files whole, those of the run's share that no run has read yet.</summary>
    private static void HashSources(OutputPlan plan, StagingFolder staging, WriteMode mode, CancellationToken cancellation)
    {
        if (!plan.HashesSource) return;
        List<NamedFile> files = [.. plan.SourceFiles];
        foreach (int index in (mode.Share ?? WorkerShare.Whole).Of([.. files.Select(source => source.File.Identity.Length)]))
        {
            if (!staging.Earlier.Sources.ContainsKey(files[index].Name))
                staging.RecordSource(FileRecord.Read(files[index].File.Path, files[index].Name, cancellation));
        }
    }

    /// <param name="own">Weight files that this run made or has read: those of other workers are compared with their journals.</param>
    private static bool CommitIfComplete(StagingFolder staging, HashSet<string> own, int threads, CancellationToken cancellation)
    {
        JournalFolder journals = staging.Journals();
        if (OutputCommit.Missing(staging, journals).Count > 0) return false;
        IReadOnlyList<string> damaged = OutputCommit.Damaged(staging, journals, [.. staging.Plan.Shards.Where(name => !own.Contains(name))], threads, cancellation);
        if (damaged.Count > 0) throw OutputCommit.Incomplete(staging, damaged);
        if (!staging.TakeWhole(cancellation)) return false;
        journals = staging.Journals();
        if (OutputCommit.Missing(staging, journals).Count > 0) return false;
        OutputCommit.Run(staging, journals);
        return true;
    }

    /// <summary>Whether the same command, or the same with other limits, can use what was finished before the failure.</summary>
    private static bool IsWorthGoingOn(Exception failure) => failure is not (
        UserErrorException { Exit: ExitCode.InputChanged or ExitCode.DataCheckFailed } or CheckpointFormatException { Error: FormatError.InputChanged });
}
