using System.Diagnostics;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Text;
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
    /// <returns>What was done, or in a dry run would be.</returns>
    public static QuantizeSummary Execute(QuantizeRequest request, IRunEvents events, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        OutputPlace? place = request.DryRun ? null : OutputPlace.Of(request.OutputPath!);
        KernelPath kernelPath = request.KernelPath ?? KernelChoice.Selected();
        UnfinishedOutput.Refuse(request.SourcePath);
        AdapterFolder.Refuse(request.SourcePath);
        Checkpoint source = Checkpoint.Open(request.SourcePath, requireConfig: Directory.Exists(request.SourcePath), request.FollowSymlinks);
        QuantizePlan plan = QuantizePlan.Make(request, source);
        var mode = new WriteMode(request.Overwrite, request.Restart, request.Share);
        PlanRecord? record = place is null ? null : PlanRecord.Of(plan);
        QuantizePlan share = request.Share is null ? plan : plan.Only(OutputRun.ShareOf(plan, request.Share));
        if (place is not null && !OutputRun.CheckPlace(plan, record!, place, request.SourcePath, mode))
            return new QuantizeSummary(share, request, null, FinishedOutput.Result(place, share.Shards), watch.Elapsed);
        long work = share.Tensors.Where(tensor => tensor.Quantization is not null).Sum(tensor => tensor.Quantization!.ValueCount * (tensor.DType.BitSize() / 8));
        bool computes = !request.DryRun || plan.Recipe.SizeDependsOnWeights;
        using ComputeEngine engine = computes
            ? DeviceSelector.Open(
                new DeviceNeed(request.Device, request.MaxDeviceMemoryBytes, work, request.Threads, CpuOnly(plan.Recipe)),
                kernelPath,
                events)
            : new CpuEngine(kernelPath);
        MemoryBudget budget = MemoryBudget.Divide(
            BufferNeeds.OfQuantize(plan.Tensors), request.Threads, request.MaxMemoryBytes, engine.PreferredChunkValues);
        Announce(plan, request, budget, engine, events);

        var options = new OutputOptions(budget, engine, request.KeepNonFinite);
        OutputResult result = place is not null
            ? OutputRun.Write(plan, record!, options, place, mode, events, cancellation)
            // Without double quantization the headers already say everything about sizes.
            : new OutputResult((computes ? OutputRun.Rehearse(plan, options, events, cancellation) : SizesOnly(plan)).Shards, 0, OutputState.ShareDone);
        return new QuantizeSummary(share, request, engine, result, watch.Elapsed);
    }

    private static string? CpuOnly(QuantizeRecipe recipe) => recipe switch
    {
        { Scale: ScaleRule.Search } => "searching scales",
        Fp8Recipe => "quantizing to fp8",
        NoneRecipe => "writing what is not quantized",
        _ => null,
    };

    private static PipelineResult SizesOnly(QuantizePlan plan) => new(
        [.. plan.Shards.Select(shard => new ShardResult(
            shard.MaximumLength,
            shard.MaximumLength - shard.HeaderLength,
            [.. shard.Outputs.Places().Where(output => output.Part.Role == OutputRole.QuantState).Select(output => (int)output.Part.Bytes)]))],
        []);

    private static void Announce(QuantizePlan plan, QuantizeRequest request, MemoryBudget budget, ComputeEngine engine, IRunEvents events)
    {
        foreach (string note in plan.Source.Notes.Concat(plan.Recipe.Quantizes ? plan.Policy.Notes : [])) events.Warning(DisplayText.Escape(note));
        if (GatherCheck.OtherEmpty(plan.Source) is string empty) events.Warning(empty);
        if (plan.SourceForms.Count > 0)
        {
            events.Warning(
                $"the source is quantized already ({string.Join(", ", plan.SourceForms)}): it is decoded as its own library does, and the errors of both add up");
        }

        if (plan.Policy.FusedExperts.Count > 0 && plan.Recipe.Quantizes)
        {
            long bytes = plan.Policy.FusedExperts.Sum(expert => expert.ByteCount);
            events.Warning(Invariant(
                $"{plan.Policy.FusedExperts.Count} fused 3-D expert tensors stay unquantized: there is no quantized form for them. They are {(double)bytes / plan.SourceTensorBytes:P1} of the source ({ByteSize.Format(bytes)}), first {DisplayText.Escape(plan.Policy.FusedExperts[0].Name)}"));
        }

        var unaligned = plan.Policy.Decisions.Where(decision => decision.Unaligned && decision.Action == TensorAction.Quantize).ToList();
        if (unaligned.Count > 0)
        {
            events.Warning(Invariant(
                $"{unaligned.Count} layers have an input size that is not a multiple of {plan.Recipe.Blocksize}: they load, but bitsandbytes multiplies them by its fallback; --exclude-unaligned leaves them out. First {DisplayText.Escape(unaligned[0].Tensor.Name)}"));
        }

        WarnOfLayouts(plan, events);
        if (request.ImportancePath is not null)
        {
            var without = plan.Tensors.Where(tensor => tensor.Quantization is { Importance: null }).ToList();
            if (without.Count > 0)
            {
                events.Warning(Invariant(
                    $"the importance file says nothing of {without.Count} tensors, whose values all count alike. First {DisplayText.Escape(without[0].Name)}"));
            }
        }

        if (plan.QuantizedParameterCount == 0 && plan.Recipe.Quantizes) events.Warning("no tensor of this checkpoint is quantized");
        if (plan.ConfigBytes is null && plan.Recipe.Quantizes) events.Warning("no config.json beside the source: loaders need one with a quantization_config");
        events.Debug(Invariant(
            $"kernel path {engine.Path}, {budget.Workers} workers, {budget.ChunkValues} values per chunk, output {request.OutputPath}"));
        foreach (string name in plan.Source.SideFiles.LeftOut) events.Information($"not copied: {DisplayText.Escape(name)}");
        foreach (TensorPlan tensor in plan.Tensors)
            events.Debug($"{DisplayText.Escape(tensor.Name)}: {tensor.Decision.Rule}, {tensor.Decision.Reason}");
    }

    /// <summary>INT4 forms that are right and that vLLM does not take.</summary>
    private static void WarnOfLayouts(QuantizePlan plan, IRunEvents events)
    {
        if (plan.Recipe is not Int4Recipe { Symmetric: false }) return;
        var cut = plan.Tensors.Where(tensor => tensor.Quantization?.Rows % Int4Quantization.PerWord > 0).ToList();
        if (cut.Count == 0) return;
        events.Warning(Invariant(
            $"{cut.Count} layers have an output size that is not a multiple of 8, for which vLLM allocates one word of zero points too few; --symmetric true has none. First {DisplayText.Escape(cut[0].Name)}"));
    }
}
