using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Recipes;
using Bnb.Engine.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Engine.Planning;

/// <summary>
/// Chooses a form for every tensor: measures what each costs, takes what saves the most error per byte, and rehearses the result
/// for its exact size.
/// </summary>
internal static class PlanRun
{
    private const int MostRehearsals = 8;

    /// <exception cref="UserErrorException">PLAN-TARGET: the goal is out of reach; the text says what can be had.</exception>
    public static PlanSummary Execute(PlanRequest request, IRunEvents events, CancellationToken cancellation)
    {
        UnfinishedOutput.Refuse(request.Quantize.SourcePath);
        PlannedSource source = PlannedSource.Of(request.Quantize);
        Importance.RefuseStranger(request.Quantize.ImportancePath, source.Models.SelectMany(static model => model.Tensors));
        List<TensorChoice> choices = FormMeasure.Of(source, events, cancellation);
        if (choices.Count == 0) throw NothingToChoose(request.Quantize.Recipe.Type);
        double parameters = Math.Max(1, choices.Sum(choice => choice.Tensors.Sum(tensor => (double)tensor.Quantization!.ValueCount)));
        PlannedOutput uniform = Rehearse([]);

        // What is not chosen here: other tensors, headers and copies. The first allocation that is rehearsed corrects it.
        long rest = uniform.FileBytes - choices.Sum(choice => choice.Tensors.Sum(tensor => FormMeasure.BytesOf(tensor, tensor.Quantization!)));
        List<PlanPoint> curve = Curve(choices, rest, parameters);
        long goal = Goal(request, uniform, rest, choices);
        for (int rehearsal = 0; ; rehearsal++)
        {
            var allocation = new Allocation(choices);
            while (!Met(request, allocation, parameters) && allocation.TryStep(goal - rest))
            {
            }

            List<RecipeOverride> overrides = [.. Overrides(choices, allocation)];
            PlannedOutput result = Rehearse(overrides);
            double error = Math.Sqrt(ErrorOf(result, choices, allocation) / parameters);
            var summary = new PlanSummary(result, overrides, error, curve, new PlanPoint(uniform.FileBytes, UniformError(choices, parameters)));
            if (Over(request, summary) is not { } over)
            {
                // Steps are of whole layers, so some of the bytes stay unused: one form for all may still be better.
                PlanSummary plain = summary with { Output = uniform, Overrides = [], ExpectedError = summary.Uniform.Error };
                return plain.ExpectedError <= error && Over(request, plain) is null && request.MaxError is null ? plain : summary;
            }

            bool smallest = overrides.Count == 0 || allocation.Bytes == choices.Sum(choice => choice.Forms[0].Bytes);
            if (smallest || rehearsal == MostRehearsals) throw OutOfReach(summary, events);
            goal -= over;
        }

        PlannedOutput Rehearse(IReadOnlyList<RecipeOverride> overrides) => new(source, QuantizeRun.ExecuteAll(
            source.Request with { DryRun = true, OutputPath = null, Overrides = [.. source.Request.Overrides, .. overrides] },
            overrides.Count == 0 ? events : NoEvents.Instance, cancellation));
    }

    /// <summary>Bytes that the allocation may have, all files together.</summary>
    private static long Goal(PlanRequest request, PlannedOutput uniform, long rest, List<TensorChoice> choices)
    {
        if (request.TargetBytes is { } bytes) return bytes;
        if (request.TargetBits is { } bits) return (long)(bits / 8 * uniform.ParameterCount) + uniform.FileBytes - uniform.TensorBytes;
        return rest + choices.Sum(choice => choice.Forms[^1].Bytes);
    }

    private static bool Met(PlanRequest request, Allocation allocation, double parameters) =>
        request.MaxError is { } most && Math.Sqrt(allocation.Error / parameters) <= most;

    /// <summary>Bytes above the goal, null when it is met.</summary>
    private static long? Over(PlanRequest request, PlanSummary summary)
    {
        double over = request.TargetBytes is { } bytes ? summary.Bytes - bytes
            : request.TargetBits is { } bits ? (summary.BitsPerParameter - bits) / 8 * summary.Output.ParameterCount : 0;
        return over > 0 ? Math.Max(1, (long)Math.Ceiling(over)) : null;
    }

    private static IEnumerable<RecipeOverride> Overrides(List<TensorChoice> choices, Allocation allocation)
    {
        for (int i = 0; i < choices.Count; i++)
        {
            if (allocation.FormOf(i).Form is not { } form) continue;
            foreach (TensorPlan tensor in choices[i].Tensors)
                yield return RecipeOverride.Parse($"{Recipe.PatternOf(choices[i].Prefix + (ModuleName.PathOfWeight(tensor.Name) ?? tensor.Name))}={form}");
        }
    }

    /// <summary>The error of what really is planned: keeping one tensor may keep others that loaders fuse with it.</summary>
    private static double ErrorOf(PlannedOutput output, List<TensorChoice> choices, Allocation allocation)
    {
        var quantized = output.Models.SelectMany(static model => model.Plan.Tensors.Where(static tensor => tensor.Quantization is not null).Select(tensor => model.Plan.Request.NamePrefix + tensor.Name))
            .ToHashSet(StringComparer.Ordinal);
        return Enumerable.Range(0, choices.Count).Where(i => choices[i].Tensors.Any(tensor => quantized.Contains(choices[i].Prefix + tensor.Name))).Sum(i => allocation.FormOf(i).Error);
    }

    private static double UniformError(List<TensorChoice> choices, double parameters) => Math.Sqrt(
        choices.Sum(choice => choice.Own.Error) / parameters);

    private static List<PlanPoint> Curve(List<TensorChoice> choices, long rest, double parameters)
    {
        var walk = new Allocation(choices);
        var points = new List<PlanPoint>();
        do points.Add(new PlanPoint(rest + walk.Bytes, Math.Sqrt(Math.Max(0, walk.Error) / parameters)));
        while (walk.TryStep(long.MaxValue / 2));
        return points;
    }

    private static UserErrorException NothingToChoose(string type) => new(ExitCode.Usage, "PLAN-TARGET", "there is nothing to choose: no tensor would be quantized")
    {
        Facts = [("--type", type)],
        Action = "give a --type that quantizes, or exclude less; explain says for each tensor why it is left",
    };

    private static UserErrorException OutOfReach(PlanSummary smallest, IRunEvents events)
    {
        events.Debug("no allocation reaches the goal");
        List<(string, string)> facts = [("smallest", $"{ByteSize.Exact(smallest.Bytes)} bytes, {smallest.BitsPerParameter:F4} bits per parameter")];
        if (smallest.Output.CopiedFileBytes > 0)
            facts.Add(("of these copied", $"{ByteSize.Exact(smallest.Output.CopiedFileBytes)} bytes, {ItemList.Names([.. smallest.Output.Source.Copied.Select(static copied => copied.Component)])}"));
        return new UserErrorException(ExitCode.Usage, "PLAN-TARGET", "no choice of forms reaches that size")
        {
            Facts = facts,
            Action = "raise the target, or plan with a larger --block-size or fewer tensors excluded" + (smallest.Output.CopiedFileBytes > 0 ? ", or with more --components" : ""),
        };
    }
}
