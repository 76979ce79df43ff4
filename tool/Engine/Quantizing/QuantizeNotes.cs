using Bnb.Engine.DataTypes;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Splitting;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;
using static System.FormattableString;

namespace Bnb.Engine.Quantizing;

/// <summary>What is notable about a plan, said before the work begins.</summary>
internal static class QuantizeNotes
{
    /// <summary>Which components are quantized, and what is odd about the pipeline.</summary>
    public static void OfPipeline(PipelinePlan plan, IRunEvents events)
    {
        foreach (string note in plan.Source.Notes) events.Warning(note);
        foreach (string name in plan.CopiedComponents) events.Information($"copied as it is: {DisplayText.Escape(name)}");
    }

    /// <summary>What there is to say of a model, or of a component with its name before it.</summary>
    public static void OfModel(QuantizePlan plan, IRunEvents events)
    {
        void warn(string text) => events.Warning(plan.Component is { } component ? $"{DisplayText.Escape(component)}: {text}" : text);
        foreach (string note in plan.Source.Notes.Concat(plan.Recipe.Quantizes ? plan.Policy.Notes : [])) warn(DisplayText.Escape(note));
        if (GatherCheck.OtherEmpty(plan.Source) is string empty) warn(empty);
        if (plan.SourceForms.Count > 0)
        {
            warn(
                $"the source is quantized already ({string.Join(", ", plan.SourceForms)}): it is decoded as its own library does, and the errors of both add up");
        }

        if (plan.Request.Experts == ExpertChoice.Split)
        {
            int stacks = plan.Tensors.Select(SplitTargets.StackOf).OfType<TensorPlan>().Select(tensor => tensor.Name).Distinct().Count();
            if (stacks == 0) warn("--experts split: the source has no experts in one tensor, and nothing is split");
            else events.Information(Invariant($"{stacks} tensors of experts are split into {plan.Tensors.Count(tensor => SplitTargets.StackOf(tensor) is not null)} matrices"));
        }

        if (CacheScales.LeftOut(plan.Source) is { Count: > 0 } scales) warn($"left out: {CacheScales.Note(scales)}");

        if (plan.Policy.FusedExperts.Count > 0 && plan.Recipe.Quantizes)
        {
            long bytes = plan.Policy.FusedExperts.Sum(expert => expert.ByteCount);
            warn(Invariant(
                $"{plan.Policy.FusedExperts.Count} fused 3-D expert tensors stay unquantized: there is no quantized form for them, and --experts split divides those that a loader reads one by one. They are {(double)bytes / plan.SourceTensorBytes:P1} of the source ({ByteSize.Format(bytes)}), first {DisplayText.Escape(plan.Policy.FusedExperts[0].Name)}"));
        }

        var unaligned = plan.Policy.Decisions.Where(decision => decision.Unaligned && decision.Action == TensorAction.Quantize).ToList();
        if (unaligned.Count > 0)
        {
            warn(Invariant(
                $"{unaligned.Count} layers have an input size that is not a multiple of {plan.Recipe.Blocksize}: they load, but bitsandbytes multiplies them by its fallback; --exclude-unaligned leaves them out. First {DisplayText.Escape(unaligned[0].Tensor.Name)}"));
        }

        WarnOfLayouts(plan, warn);
        if (plan.Request.ImportancePath is not null)
        {
            var without = plan.Tensors.Where(tensor => tensor.Quantization is { Importance: null }).ToList();
            if (without.Count > 0)
            {
                warn(Invariant(
                    $"the importance file says nothing of {without.Count} tensors, whose values all count alike. First {DisplayText.Escape(without[0].Name)}"));
            }
        }

        if (plan.QuantizedParameterCount == 0 && plan.Recipe.Quantizes) warn("no tensor of this checkpoint is quantized");
        if (plan.ConfigBytes is null && plan.Recipe.Quantizes) warn("no config.json beside the source: loaders need one with a quantization_config");
        foreach (TensorPlan tensor in plan.Tensors)
            events.Debug($"{DisplayText.Escape(tensor.Name)}: {tensor.Decision.Rule}, {tensor.Decision.Reason}");
    }

    /// <summary>INT4 forms that are right and that vLLM does not take.</summary>
    private static void WarnOfLayouts(QuantizePlan plan, Action<string> warn)
    {
        if (plan.Recipe is not Int4Recipe { Symmetric: false }) return;
        var cut = plan.Tensors.Where(tensor => tensor.Quantization?.Rows % Int4Quantization.PerWord > 0).ToList();
        if (cut.Count == 0) return;
        warn(Invariant(
            $"{cut.Count} layers have an output size that is not a multiple of 8, for which vLLM allocates one word of zero points too few; --symmetric true has none. First {DisplayText.Escape(cut[0].Name)}"));
    }
}
