using System.Diagnostics;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;
using static System.FormattableString;

namespace Bnb.Engine.Quantizing;

/// <summary>
/// One quantization from start to end: plan, check the output place, say what is notable, write or rehearse
/// (<see cref="OutputRun"/>).
/// </summary>
internal static class QuantizeRun
{
    /// <summary>The same of a source that is one model.</summary>
    /// <returns>What was done, or in a dry run would be.</returns>
    public static QuantizeSummary Execute(QuantizeRequest request, IRunEvents events, CancellationToken cancellation) =>
        ExecuteAll(request, events, cancellation).Single();

    /// <returns>What was done, or in a dry run would be: for the model, or for each component of a pipeline that is quantized.</returns>
    public static IReadOnlyList<QuantizeSummary> ExecuteAll(QuantizeRequest request, IRunEvents events, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        OutputPlace? place = request.DryRun ? null : OutputPlace.Of(request.OutputPath!);
        KernelPath kernelPath = request.KernelPath ?? KernelChoice.Selected();
        UnfinishedOutput.Refuse(request.SourcePath);
        AdapterFolder.Refuse(request.SourcePath);
        PipelinePlan? pipeline = PipelineFolder.IsAt(request.SourcePath) ? PipelinePlan.Make(request) : null;
        IReadOnlyList<QuantizePlan> models = pipeline?.Components ?? [QuantizePlan.Make(request, RequestSource.Open(request))];
        OutputPlan plan = pipeline is null ? models[0] : pipeline;
        Importance.RefuseStranger(request.ImportancePath, models.SelectMany(model => model.Tensors));
        var mode = new WriteMode(request.Overwrite, request.Restart, request.Share, request.Checksums);
        PlanRecord? record = place is null ? null : PlanRecord.Of(plan);
        IReadOnlyList<int> share = OutputRun.ShareOf(plan, request.Share);
        IReadOnlyList<ShardPlan> shards = [.. share.Select(index => plan.Shards[index])];
        if (place is not null && !OutputRun.CheckPlace(plan, record!, place, request.SourcePath, mode))
        {
            // A thousand workers that come late need not read all of it: who committed has.
            if (request.Share is null) FinishedOutput.ThrowIfDamaged(place, request.Threads, cancellation);
            return QuantizeSummary.Of(models, share, request, null, FinishedOutput.Result(place, shards), watch.Elapsed);
        }

        long work = shards.SelectMany(shard => shard.Tensors).Where(tensor => tensor.Quantization is not null)
            .Sum(tensor => tensor.Quantization!.ValueCount * (tensor.DType.BitSize() / 8));
        bool computes = !request.DryRun || request.Recipe.SizeDependsOnWeights;
        using ComputeEngine engine = computes
            ? DeviceSelector.Open(
                new DeviceNeed(request.Device, request.MaxDeviceMemoryBytes, work, request.Threads, CpuOnly(request.Recipe))
                {
                    Searches = request.Recipe.Scale == ScaleRule.Search,
                },
                kernelPath,
                events)
            : new CpuEngine(kernelPath);
        MemoryBudget budget = MemoryBudget.Divide(
            BufferNeeds.OfQuantize(plan.Tensors), request.Threads, request.MaxMemoryBytes, engine.PreferredChunkValues);
        if (pipeline is not null) QuantizeNotes.OfPipeline(pipeline, events);
        foreach (QuantizePlan model in models) QuantizeNotes.OfModel(model, events);
        foreach (string name in plan.SideFiles.LeftOut) events.Information($"not copied: {DisplayText.Escape(name)}");
        events.Debug(Invariant(
            $"kernel path {engine.Path}, {budget.Workers} workers, {budget.ChunkValues} values per chunk, output {request.OutputPath}"));

        var options = new OutputOptions(budget, engine, request.KeepNonFinite);
        OutputResult result = place is not null
            ? OutputRun.Write(plan, record!, options, place, mode, events, cancellation)
            // Without double quantization the headers already say everything about sizes.
            : new OutputResult((computes ? OutputRun.Rehearse(plan, options, events, cancellation) : SizesOnly(plan)).Shards, 0, OutputState.ShareDone);
        return QuantizeSummary.Of(models, share, request, engine, result, watch.Elapsed);
    }

    private static string? CpuOnly(QuantizeRecipe recipe) => recipe switch
    {
        NoneRecipe => "writing what is not quantized",
        _ => null,
    };

    private static PipelineResult SizesOnly(OutputPlan plan) => new(
        [.. plan.Shards.Select(shard => new ShardResult(
            shard.MaximumLength,
            shard.MaximumLength - shard.HeaderLength,
            shard.Outputs.States(static state => (int)state.Part.Bytes)))],
        []);
}
