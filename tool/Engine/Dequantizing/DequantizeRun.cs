using System.Diagnostics;
using Bnb.Engine.Devices;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
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
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: Directory.Exists(request.SourcePath), request.FollowSymlinks);
        DequantizePlan plan = DequantizePlan.Make(request, source);
        OutputRun.CheckPlace(plan, place, request.SourcePath, request.Overwrite);
        long work = plan.Tensors.Sum(tensor => tensor.Dequantization?.OutputBytes ?? 0);
        using ComputeEngine engine = DeviceSelector.Open(
            new DeviceNeed(request.Device, request.MaxDeviceMemoryBytes, work, request.Threads), kernelPath, events);
        MemoryBudget budget = MemoryBudget.Divide(plan.Needs, request.Threads, request.MaxMemoryBytes, engine.PreferredChunkValues);
        foreach (string note in plan.Source.Notes) events.Warning(DisplayText.Escape(note));

        var options = new OutputOptions(budget, engine, KeepNonFinite: true);
        PipelineResult result = OutputRun.Write(plan, options, place, request.Overwrite, events, cancellation);
        return new DequantizeSummary(plan, place, engine, result.Shards, watch.Elapsed);
    }
}
