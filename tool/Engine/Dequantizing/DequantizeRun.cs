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
using Bnb.Quant.Numerics;
using static System.FormattableString;

namespace Bnb.Engine.Dequantizing;

/// <summary>One dequantization from start to end: plan, check the output place, write.</summary>
internal static class DequantizeRun
{
    /// <summary>The same of a source that is one model.</summary>
    public static DequantizeSummary Execute(DequantizeRequest request, IRunEvents events, CancellationToken cancellation) =>
        ExecuteAll(request, events, cancellation).Single();

    /// <returns>What was done: with the model, or with each component of a pipeline that was quantized.</returns>
    public static IReadOnlyList<DequantizeSummary> ExecuteAll(DequantizeRequest request, IRunEvents events, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        OutputPlace place = OutputPlace.Of(request.OutputPath);
        KernelPath kernelPath = request.KernelPath ?? KernelChoice.Selected();
        UnfinishedOutput.Refuse(request.SourcePath);
        DequantizePipelinePlan? pipeline = PipelineFolder.IsAt(request.SourcePath) ? DequantizePipelinePlan.Make(request) : null;
        IReadOnlyList<DequantizePlan> models = pipeline?.Components ?? [Model(request)];
        OutputPlan plan = pipeline is null ? models[0] : pipeline;
        PlanRecord record = PlanRecord.Of(plan);
        var mode = new WriteMode(request.Overwrite, request.Restart, Checksums: request.Checksums);
        if (!OutputRun.CheckPlace(plan, record, place, request.SourcePath, mode))
        {
            FinishedOutput.ThrowIfDamaged(place, request.Threads, cancellation);
            return DequantizeSummary.Of(models, request.OutputPath, null, FinishedOutput.Result(place, plan.Shards), watch.Elapsed);
        }

        long work = plan.Tensors.Sum(tensor => tensor.Dequantization?.OutputBytes ?? 0);
        using ComputeEngine engine = DeviceSelector.Open(
            new DeviceNeed(request.Device, request.MaxDeviceMemoryBytes, work, request.Threads), kernelPath, events);
        MemoryBudget budget = MemoryBudget.Divide(NeedsOf(plan), request.Threads, request.MaxMemoryBytes, engine.PreferredChunkValues);
        foreach (string note in pipeline?.Source.Notes ?? []) events.Warning(note);
        foreach (DequantizePlan model in models) Notes(model, events);

        var options = new OutputOptions(budget, engine, KeepNonFinite: true);
        OutputResult result = OutputRun.Write(plan, record, options, place, mode, events, cancellation);
        return DequantizeSummary.Of(models, request.OutputPath, engine, result, watch.Elapsed);
    }

    private static DequantizePlan Model(DequantizeRequest request) =>
        DequantizePlan.Make(request, Checkpoint.Open(request.SourcePath, requireConfig: Directory.Exists(request.SourcePath), request.FollowSymlinks));

    /// <summary>What is notable about a model, or about a component with its name before it.</summary>
    private static void Notes(DequantizePlan plan, IRunEvents events)
    {
        string prefix = plan.Component is { } component ? DisplayText.Escape(component) + ": " : "";
        foreach (string note in plan.Source.Notes) events.Warning(prefix + DisplayText.Escape(note));
        if (plan.DoubtfulLayouts is { Count: > 0 } doubtful)
        {
            events.Warning(Invariant(
                $"{prefix}{doubtful.Count} weights are written as linear layers, [out, in]: nothing here says whether this class stores them as GPT-2 does, [in, out]. If so, set model_type in config.json to gpt2 first. First {DisplayText.Escape(doubtful[0])}"));
        }
    }

    /// <summary>What the tensors ask of a worker's buffers.</summary>
    private static BufferNeeds NeedsOf(OutputPlan plan)
    {
        List<Dequantization> packed = [.. plan.Tensors.Select(tensor => tensor.Dequantization).OfType<Dequantization>()];
        return BufferNeeds.Of(
            packed.Select(one => DataTypeCatalog.BuffersOf(one.Weight)), packed.Select(one => one.Type.Size()), packed.Any(one => one.TransposedMatrices > 0));
    }
}
