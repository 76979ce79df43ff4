using System.Globalization;
using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Errors;
using Bnb.Engine.Events;
using Bnb.Engine.Output;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Recipes;
using Bnb.Engine.Text;
using Bnb.Engine.Work;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;

namespace Bnb.Engine.Planning;

/// <summary>
/// Chooses a form for every tensor: measures what each costs, takes what saves the most error per byte, and rehearses the result
/// for its exact size.
/// </summary>
internal static class PlanRun
{
    private const int SmallestBlocksize = 32;
    private const int MostRehearsals = 8;

    /// <exception cref="UserErrorException">PLAN-TARGET: the goal is out of reach; the text says what can be had.</exception>
    public static PlanSummary Execute(PlanRequest request, IRunEvents events, CancellationToken cancellation)
    {
        UnfinishedOutput.Refuse(request.Quantize.SourcePath);
        if (PipelineFolder.IsAt(request.Quantize.SourcePath)) throw OneComponent(request.Quantize.SourcePath);
        Checkpoint source = RequestSource.Open(request.Quantize);
        QuantizePlan plan = QuantizePlan.Make(request.Quantize, source);
        Importance.RefuseStranger(request.Quantize.ImportancePath, plan.Tensors);
        List<TensorChoice> choices = Measure(plan, request.Quantize, events, cancellation);
        if (choices.Count == 0) throw NothingToChoose(plan.Recipe.Type);
        double parameters = Math.Max(1, choices.Sum(choice => choice.Tensors.Sum(tensor => (double)tensor.Quantization!.ValueCount)));
        QuantizeSummary uniform = Rehearse([]);

        // What is not chosen here: other tensors and headers. The first allocation that is rehearsed corrects it.
        long rest = uniform.OutputFileBytes - choices.Sum(choice => choice.Tensors.Sum(tensor => BytesOf(tensor, tensor.Quantization!)));
        List<PlanPoint> curve = Curve(choices, rest, parameters);
        long goal = Goal(request, uniform, rest, choices);
        for (int rehearsal = 0; ; rehearsal++)
        {
            var allocation = new Allocation(choices);
            while (!Met(request, allocation, parameters) && allocation.TryStep(goal - rest))
            {
            }

            List<RecipeOverride> overrides = [.. Overrides(choices, allocation)];
            QuantizeSummary result = Rehearse(overrides);
            double error = Math.Sqrt(ErrorOf(result.Plan, choices, allocation) / parameters);
            var summary = new PlanSummary(result, overrides, error, curve, new PlanPoint(uniform.OutputFileBytes, UniformError(choices, parameters)));
            if (Over(request, summary) is not { } over)
            {
                // Steps are of whole layers, so some of the bytes stay unused: one form for all may still be better.
                PlanSummary plain = summary with { Quantized = uniform, Overrides = [], ExpectedError = summary.Uniform.Error };
                return plain.ExpectedError <= error && Over(request, plain) is null && request.MaxError is null ? plain : summary;
            }

            bool smallest = overrides.Count == 0 || allocation.Bytes == choices.Sum(choice => choice.Forms[0].Bytes);
            if (smallest || rehearsal == MostRehearsals) throw OutOfReach($"{ByteSize.Exact(summary.Bytes)} bytes, {summary.BitsPerParameter:F4} bits per parameter", events);
            goal -= over;
        }

        QuantizeSummary Rehearse(IReadOnlyList<RecipeOverride> overrides) => QuantizeRun.Execute(
            request.Quantize with { DryRun = true, OutputPath = null, Overrides = [.. request.Quantize.Overrides, .. overrides] },
            overrides.Count == 0 ? events : NoEvents.Instance, cancellation);
    }

    /// <summary>Bytes that the allocation may have, all files together.</summary>
    private static long Goal(PlanRequest request, QuantizeSummary uniform, long rest, List<TensorChoice> choices)
    {
        if (request.TargetBytes is { } bytes) return bytes;
        if (request.TargetBits is { } bits) return (long)(bits / 8 * uniform.Plan.ParameterCount) + uniform.OutputFileBytes - uniform.OutputTensorBytes;
        return rest + choices.Sum(choice => choice.Forms[^1].Bytes);
    }

    private static bool Met(PlanRequest request, Allocation allocation, double parameters) =>
        request.MaxError is { } most && Math.Sqrt(allocation.Error / parameters) <= most;

    /// <summary>Bytes above the goal, null when it is met.</summary>
    private static long? Over(PlanRequest request, PlanSummary summary)
    {
        double over = request.TargetBytes is { } bytes ? summary.Bytes - bytes
            : request.TargetBits is { } bits ? (summary.BitsPerParameter - bits) / 8 * summary.Quantized.Plan.ParameterCount : 0;
        return over > 0 ? Math.Max(1, (long)Math.Ceiling(over)) : null;
    }

    private static List<TensorChoice> Measure(QuantizePlan plan, QuantizeRequest request, IRunEvents events, CancellationToken cancellation)
    {
        List<TensorPlan> tensors = [.. plan.Tensors.Where(tensor => tensor.Quantization is not null)];
        var found = new FormChoice[tensors.Count][];
        KernelPath path = request.KernelPath ?? KernelChoice.Selected();
        using var engine = new CpuEngine(path);
        using var source = new TensorSource(tensors, DataTypeCatalog.InputsOn(engine));
        var progress = new PipelineProgress(tensors.Sum(tensor => tensor.SourceBytes));
        using IDisposable? watching = events.Watch(progress);
        var errors = new FormError(source, path);
        WorkQueue.Run(
            Enumerable.Range(0, tensors.Count), request.Threads, () => 0,
            (index, _) =>
            {
                TensorPlan tensor = tensors[index];
                progress.Current = tensor.Name;
                double values = tensor.Quantization!.ValueCount;
                bool isFixed = IsFixed(tensor.Name, request.LoadsIn);
                List<FormChoice> forms = isFixed ? [] : [new("keep", tensor.Shape.ElementCount * (tensor.DType.BitSize() / 8), 0)];
                foreach ((string? form, Quantization quantization) in isFixed ? [(null, tensor.Quantization)] : Forms(tensor))
                    forms.Add(new FormChoice(form, BytesOf(tensor, quantization), values * errors.Relative(tensor, quantization, cancellation)));
                found[index] = [.. forms];
                progress.Add(tensor.SourceBytes);
            },
            cancellation);
        return [.. Enumerable.Range(0, tensors.Count)
            .GroupBy(index => UnitOf(tensors[index].Name, plan.Policy.Readers.Groups))
            .Select(unit => TensorChoice.Of([.. unit.Select(index => tensors[index])], Sum([.. unit.Select(index => found[index])])))];
    }

    /// <summary>Tensors of one unit are loaded as one layer by vLLM: all experts of a block, too. They get one form.</summary>
    private static string UnitOf(string name, FusedGroups groups) =>
        ModuleName.PathOfWeight(name) is { } path ? VllmLayer.Of(path, groups).FirstOrDefault()?.Name ?? name : name;

    /// <summary>vLLM and SGLang take all experts of a block for packed alike.</summary>
    private static bool IsFixed(string name, IReadOnlyList<LoadTarget> targets) =>
        name.Contains(".experts.", StringComparison.Ordinal) && (targets.Contains(LoadTarget.Vllm) || targets.Contains(LoadTarget.Sglang));

    /// <summary>The forms that all have, for all of them together.</summary>
    private static List<FormChoice> Sum(FormChoice[][] members) =>
    [
        .. members[0]
            .Where(form => members.All(member => member.Any(other => other.Form == form.Form)))
            .Select(form => new FormChoice(
                form.Form,
                members.Sum(member => member.First(other => other.Form == form.Form).Bytes),
                members.Sum(member => member.First(other => other.Form == form.Form).Error))),
    ];

    /// <summary>The recipe's own form, and other sizes of blocks and groups where loaders read them per tensor.</summary>
    private static IEnumerable<(string? Form, Quantization Quantization)> Forms(TensorPlan tensor)
    {
        Quantization own = tensor.Quantization!;
        yield return (null, own);
        foreach (QuantizeRecipe other in Others(own, tensor.Name))
        {
            yield return (
                string.Create(CultureInfo.InvariantCulture, $"{other.Type}/{other.Blocksize}"),
                other.For(own.SourceType, own.Rows, own.Columns, own.Transpose) with { Scale = own.Scale, Importance = own.Importance });
        }
    }

    private static IEnumerable<QuantizeRecipe> Others(Quantization own, string name) => own switch
    {
        Blockwise4Quantization { Blocksize: > SmallestBlocksize } blockwise => [blockwise.Recipe.WithBlocksize(SmallestBlocksize)],
        Int4Quantization groups when !VllmLayer.Of(ModuleName.WithoutWeight(name), FusedGroups.Usual).Any(layer => layer.IsExperts) =>
            Int4Recipe.GroupSizes.Where(size => size != groups.Recipe.GroupSize && own.Columns % size == 0).Select(groups.Recipe.WithGroupSize),
        _ => [],
    };

    private static long BytesOf(TensorPlan tensor, Quantization form) => form.Outputs(tensor.Name).Sum(output => output.Bytes);

    private static IEnumerable<RecipeOverride> Overrides(List<TensorChoice> choices, Allocation allocation)
    {
        for (int i = 0; i < choices.Count; i++)
        {
            if (allocation.FormOf(i).Form is not { } form) continue;
            foreach (TensorPlan tensor in choices[i].Tensors)
                yield return RecipeOverride.Parse($"{Recipe.PatternOf(ModuleName.PathOfWeight(tensor.Name) ?? tensor.Name)}={form}");
        }
    }

    /// <summary>The error of what really is planned: keeping one tensor may keep others that loaders fuse with it.</summary>
    private static double ErrorOf(QuantizePlan plan, List<TensorChoice> choices, Allocation allocation)
    {
        var quantized = plan.Tensors.Where(tensor => tensor.Quantization is not null).Select(tensor => tensor.Name).ToHashSet(StringComparer.Ordinal);
        return Enumerable.Range(0, choices.Count).Where(i => choices[i].Tensors.Any(tensor => quantized.Contains(tensor.Name))).Sum(i => allocation.FormOf(i).Error);
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

    /// <summary>Overrides name tensors, and components of one pipeline have tensors of the same names.</summary>
    private static UserErrorException OneComponent(string path)
    {
        PipelineFolder pipeline = PipelineFolder.Open(path, followSymlinks: true, variant: null);
        PipelineComponent? first = pipeline.Components.OrderByDescending(ComponentChoice.IsUsual).FirstOrDefault();
        return new UserErrorException(ExitCode.Usage, "USAGE", "plan chooses for one model, and this is a pipeline")
        {
            File = path,
            Facts = [("components", first is null ? "none with weights that are read" : ItemList.Names([.. pipeline.Components.Select(static component => component.Name)]))],
            Action = first is null
                ? "download the weights of the component that is to be quantized"
                : $"give one component folder, for example {Path.Combine(path, DisplayText.Escape(first.Name))}; quantize of the whole pipeline takes the recipe with --config",
        };
    }

    private static UserErrorException NothingToChoose(string type) => new(ExitCode.Usage, "PLAN-TARGET", "there is nothing to choose: no tensor would be quantized")
    {
        Facts = [("--type", type)],
        Action = "give a --type that quantizes, or exclude less; explain says for each tensor why it is left",
    };

    private static UserErrorException OutOfReach(string smallest, IRunEvents events)
    {
        events.Debug("no allocation reaches the goal");
        return new UserErrorException(ExitCode.Usage, "PLAN-TARGET", "no choice of forms reaches that size")
        {
            Facts = [("smallest", smallest)],
            Action = "raise the target, or plan with a larger --block-size or fewer tensors excluded",
        };
    }
}
