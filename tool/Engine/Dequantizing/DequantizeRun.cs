using System.Diagnostics;
using Bnb.Engine.Devices;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;

namespace Bnb.Engine.Dequantizing;

/// <summary>One dequantization from start to end: plan, check the output place, write.</summary>
internal static class DequantizeRun
{
    public static DequantizeSummary Execute(DequantizeRequest request, IRunEvents events, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        OutputPlace place = OutputPlace.Of(request.OutputPath);
        KernelPath kernelPath = request.KernelPath ?? KernelChoice.Selected();
        UnfinishedOutput.Refuse(request.SourcePath);
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: Directory.Exists(request.SourcePath), request.FollowSymlinks);
        DequantizePlan plan = DequantizePlan.Make(request, source);
        PlanRecord record = PlanRecord.Of(plan);
        var mode = new WriteMode(request.Overwrite, request.Restart);
        if (!OutputRun.CheckPlace(plan, record, place, request.SourcePath, mode))
            return new DequantizeSummary(plan, request.OutputPath, null, FinishedOutput.Result(place, plan.Shards), watch.Elapsed);
        long work = plan.Tensors.Sum(tensor => tensor.Dequantization?.OutputBytes ?? 0);
        using ComputeEngine engine = DeviceSelector.Open(
            new DeviceNeed(request.Device, request.MaxDeviceMemoryBytes, work, request.Threads), kernelPath, events);
        MemoryBudget budget = MemoryBudget.Divide(plan.Needs, request.Threads, request.MaxMemoryBytes, engine.PreferredChunkValues);
        foreach (string note in plan.Source.Notes) events.Warning(DisplayText.Escape(note));

        var options = new OutputOptions(budget, engine, KeepNonFinite: true);
        OutputResult result = OutputRun.Write(plan, record, options, place, mode, events, cancellation);
        return new DequantizeSummary(plan, request.OutputPath, engine, result, watch.Elapsed);
    }
}
