using Bnb.Engine.Architectures;
using Bnb.Engine.Policy;
using Bnb.Engine.Policy.IgnoreLists;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Policy.SkipLists;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.HuggingFace;
using Bnb.Formats.Primitives;
using Bnb.Formats.ScaledFloats;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Linting;

/// <summary>One matrix of the checkpoint, packed or plain, and what the atlas knows of it.</summary>
/// <param name="Name">Name of the dense tensor.</param>
/// <param name="Packed">Null for a plain one.</param>
internal sealed record LintedTensor(string Name, QuantizedWeight? Packed, KnownTensor? Known)
{
    /// <summary>The module's path, or the tensor's own name where it is no module's weight.</summary>
    public string Module { get; } = ModuleName.PathOfWeight(Name) ?? Name;
}

/// <summary>A checkpoint as the rules see it: packed weights and plain matrices, the class, and the list of what is skipped.</summary>
internal sealed class LintedCheckpoint
{
    public LintedCheckpoint(QuantizedCheckpoint weights)
    {
        Weights = weights;
        Facts = ModelFactsReader.Read(weights.Source.Config);
        List<CheckpointTensor> plain = [.. weights.Plain.Where(tensor => tensor.Shape.Rank >= 2 && tensor.DType is DType.F16 or DType.BF16 or DType.F32 or DType.F64)];
        Known = ModelFinder.Find(Atlas.Embedded, Facts.Identity, weights.Weights.Select(weight => weight.Name).Concat(plain.Select(tensor => tensor.Name)));
        Tensors =
        [
            .. weights.Weights.Select(weight => new LintedTensor(weight.Name, weight, Known.Find(weight.Name))),
            .. plain.Select(tensor => new LintedTensor(tensor.Name, null, Known.Find(tensor.Name))),
        ];
        LinearByName = PlainLinears(plain);
        Names = new ModuleNames(Facts, Known);
        if (Settings?.SkipModules is { } list) Skips = new SkipList(list.Where(SkipList.IsReadable));
        Ignores = new IgnoreList(Settings?.Ignore ?? [], Names.Groups);
    }

    public QuantizedCheckpoint Weights { get; }

    public ModelFacts Facts { get; }

    public KnownModel Known { get; }

    public ModuleNames Names { get; }

    /// <summary>Packed weights first, then plain floating-point tensors of two dimensions and more.</summary>
    public IReadOnlyList<LintedTensor> Tensors { get; }

    /// <summary>Plain tensors that the rules for names take for linear layers.</summary>
    public IReadOnlySet<string> LinearByName { get; }

    public ModelConfig? Config => Weights.Source.Config;

    public QuantizationSettings? Settings => Config?.Quantization;

    /// <summary>Null when the config has no list, which makes each library take its own.</summary>
    public SkipList? Skips { get; }

    public IgnoreList Ignores { get; }

    /// <summary>Weights of compressed-tensors: integers in groups, or small floats.</summary>
    public bool IsCompressed => Weights.Weights.Any(static weight => weight is Int4Weight or ScaledFloatWeight);

    public bool IsBitsAndBytes => Weights.Weights.Any(static weight => weight is BnbWeight or Int8Weight);

    private HashSet<string> PlainLinears(List<CheckpointTensor> plain)
    {
        if (plain.Count == 0) return [];
        var options = new PolicyOptions(1, false, true, [], IsCompressed ? PolicyTarget.CompressedTensors : PolicyTarget.Bnb4);
        IReadOnlyList<PolicyTensor> tensors =
            [.. plain.Select(tensor => new PolicyTensor(tensor.Name, tensor.Shape.Dimensions, true, tensor.ByteCount))];
        return
        [
            .. QuantizationPolicy.Decide(tensors, Facts, options).Decisions
                .Where(static decision => decision.Action == TensorAction.Quantize).Select(static decision => decision.Tensor.Name),
        ];
    }
}
