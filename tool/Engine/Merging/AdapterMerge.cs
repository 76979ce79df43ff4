using Bnb.Engine.Errors;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Text;
using Bnb.Formats.Adapters;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Merging;

/// <summary>Puts an adapter's updates in the place of the base's weights, as plans; nothing is read yet.</summary>
internal static class AdapterMerge
{
    /// <summary>The base's tensors, those that the adapter changes as <see cref="MergedInput"/>s.</summary>
    /// <param name="facts">The base's config, for weights whose shape does not tell whether they are stored as [in, out].</param>
    /// <exception cref="UserErrorException">The adapter is for another model.</exception>
    public static IReadOnlyList<TensorPlan> Apply(IReadOnlyList<TensorPlan> tensors, LoraAdapter adapter, ModelFacts facts)
    {
        var layout = new Lazy<bool>(() => Conv1DLayout.IsUsed(
            [.. tensors.Select(tensor => new PolicyTensor(tensor.Name, tensor.Shape.Dimensions, IsFloat: true, tensor.SourceBytes))],
            adapter.Config.IsFanInFanOut || FamilyCatalog.Conv1D.Contains(facts.ModelType ?? "")));
        var byName = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < tensors.Count; i++) byName[tensors[i].Name] = i;
        List<TensorPlan> merged = [.. tensors];
        foreach ((string name, CheckpointTensor tensor) in adapter.Replaced)
        {
            int at = Find(name, tensor);
            TensorPlan old = merged[at];
            if (!tensor.Shape.Equals(old.Shape)) throw Misfit(name, tensor, $"{tensor.Shape} in the adapter, {old.Shape} in the base");
            merged[at] = With(old, new MergedInput(Plain(old, tensor), name, Result(old, tensor), null, IsFanInFanOut: false));
        }

        foreach (LoraModule module in adapter.Modules)
        {
            string name = module.WeightName;
            int at = Find(name, module.A);
            TensorPlan old = merged[at];
            TensorPlan values = module.BaseWeight is { } own ? Plain(old, own) : old;
            bool isFlipped = module.IsEmbedding || IsInputsFirst(module, old.Shape);
            (long first, long second) = isFlipped ? (module.A.Shape[1], module.B.Shape[0]) : (module.B.Shape[0], module.A.Shape[1]);
            if (old.Shape.Rank != 2 || (old.Shape[0], old.Shape[1]) != (first, second) || !values.Shape.Equals(old.Shape))
                throw Misfit(name, module.A, $"[{first}, {second}] in the adapter, {old.Shape} in the base");
            if (old.Input is DecodedInput { IsConv1D: true }) throw Misfit(name, module.A, "a quantized Conv1D, which is not merged");
            merged[at] = With(old, new MergedInput(values, name, Result(old, module.A), module, isFlipped));
        }

        return merged;

        // PEFT asks each layer's class. The config keeps what was true of the last one.
        bool IsInputsFirst(LoraModule module, TensorShape shape)
        {
            long outputs = module.B.Shape[0], inputs = module.A.Shape[1];
            if (outputs != inputs) return shape.Rank == 2 && (shape[0], shape[1]) == (inputs, outputs);
            return FamilyCatalog.Conv1DLeaves.Contains(module.Module[(module.Module.LastIndexOf('.') + 1)..]) && layout.Value;
        }

        int Find(string name, CheckpointTensor tensor)
        {
            if (byName.TryGetValue(name, out int at)) return at;
            throw new UserErrorException(ExitCode.InputUnsupported, "LORA-TARGET", $"the base has no {DisplayText.Escape(name)}, which the adapter changes")
            {
                File = tensor.File.Path,
                Tensor = tensor.Name,
                Facts = [.. NearestNames.Find(name, [.. byName.Keys], 3).Select(near => ("nearest", near))],
                Action = "give the base model that the adapter was trained on",
            };
        }
    }

    private static TensorPlan With(TensorPlan old, MergedInput input) => old with { Input = input };

    private static TensorPlan Plain(TensorPlan like, CheckpointTensor tensor) => new(tensor, like.Decision, null);

    private static DType Result(TensorPlan old, CheckpointTensor tensor) => old.DType switch
    {
        DType.F16 or DType.BF16 or DType.F32 => old.DType,
        DType.F64 => DType.F32,
        _ => throw Misfit(old.Name, tensor, $"{old.DType.Name()} in the base, which is no float"),
    };

    private static UserErrorException Misfit(string name, CheckpointTensor tensor, string found) =>
        new(ExitCode.InputUnsupported, "LORA-TARGET", $"the adapter does not fit the base at {DisplayText.Escape(name)}")
        {
            File = tensor.File.Path,
            Tensor = tensor.Name,
            Facts = [("found", found)],
            Action = "give the base model that the adapter was trained on",
        };
}
