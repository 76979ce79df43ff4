using System.Globalization;
using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Devices;
using Bnb.Engine.Events;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Quant.Backends;

namespace Bnb.Engine.Planning;

/// <summary>Measures what each form of each tensor costs in bytes and in error.</summary>
internal static class FormMeasure
{
    private const int SmallestBlocksize = 32;

    /// <summary>Quantizes every tensor in all its forms in memory.</summary>
    /// <returns>One for each layer that some loader holds as one, in the order of the files.</returns>
    public static List<TensorChoice> Of(PlannedSource planned, IRunEvents events, CancellationToken cancellation)
    {
        QuantizeRequest request = planned.Request;
        List<(QuantizePlan Model, TensorPlan Tensor)> tensors = [.. planned.Quantized()];
        var found = new FormChoice[tensors.Count][];
        KernelPath path = request.KernelPath ?? KernelChoice.Selected();
        using var engine = new CpuEngine(path);
        using var source = new TensorSource([.. tensors.Select(static item => item.Tensor)], DataTypeCatalog.InputsOn(engine));
        var progress = new PipelineProgress(tensors.Sum(static item => item.Tensor.SourceBytes));
        using IDisposable? watching = events.Watch(progress);
        var errors = new FormError(source, path);
        WorkQueue.Run(
            Enumerable.Range(0, tensors.Count), request.Threads, () => 0,
            (index, _) =>
            {
                (QuantizePlan model, TensorPlan tensor) = tensors[index];
                progress.Current = model.Request.NamePrefix + tensor.Name;
                double values = tensor.Quantization!.ValueCount;
                bool isFixed = IsFixed(tensor.Name, model.Request.LoadsIn);
                List<FormChoice> forms = isFixed ? [] : [new("keep", tensor.Shape.ElementCount * (tensor.DType.BitSize() / 8), 0)];
                foreach ((string? form, Quantization quantization) in isFixed ? [(null, tensor.Quantization)] : Forms(tensor))
                    forms.Add(new FormChoice(form, BytesOf(tensor, quantization), values * errors.Relative(tensor, quantization, cancellation)));
                found[index] = [.. forms];
                progress.Add(tensor.SourceBytes);
            },
            cancellation);
        return
        [
            .. Enumerable.Range(0, tensors.Count)
                .GroupBy(index => tensors[index].Model.Request.NamePrefix + UnitOf(tensors[index].Tensor.Name, tensors[index].Model.Policy.Readers.Groups))
                .Select(unit => TensorChoice.Of(
                    tensors[unit.First()].Model.Request.NamePrefix, [.. unit.Select(index => tensors[index].Tensor)], Sum([.. unit.Select(index => found[index])]))),
        ];
    }

    /// <summary>Bytes of a tensor in a form, companions included.</summary>
    public static long BytesOf(TensorPlan tensor, Quantization form) => form.Outputs(tensor.Name).Sum(static output => output.Bytes);

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
}
