using Bnb.Engine.DataTypes;
using Bnb.Engine.Plans;
using Bnb.Engine.Policy.Names;
using Bnb.Engine.Splitting;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Comparing;

/// <summary>One weight of one checkpoint: a plain tensor, or a quantized one with its companions.</summary>
/// <param name="Stored">The plain tensor, or the packed codes.</param>
/// <param name="Packed">Null for a plain tensor.</param>
/// <param name="DecodedType">The dtype that decoding gives; of no meaning for a plain tensor.</param>
internal sealed record DiffWeight(CheckpointTensor Stored, QuantizedWeight? Packed, ElementType DecodedType)
{
    /// <summary>Where in <see cref="Stored"/>, a stack of experts, its values are, and its name; null for all of a tensor.</summary>
    public SlicedInput? Slice { get; init; }

    /// <summary>The folder of a pipeline's component with a slash; nothing of a model.</summary>
    public string Prefix { get; private init; } = "";

    /// <summary>The prefix, and the name in the weight files.</summary>
    public string Name => Prefix + OwnName;

    /// <summary>The name in the weight files.</summary>
    public string OwnName => Packed?.Name ?? Slice?.Name ?? Stored.Name;

    /// <summary>Shape of the dense weight.</summary>
    public IReadOnlyList<long> Shape => Packed is null ? (Slice?.Shape ?? Stored.Shape).Dimensions : [Packed.Rows, Packed.Columns];

    public long ValueCount => Packed?.ValueCount ?? Slice?.Shape.ElementCount ?? Stored.Shape.ElementCount;

    /// <summary>Bytes of its values or codes.</summary>
    public long ByteCount => Slice?.StoredBytes ?? Stored.ByteCount;

    /// <summary>True when it has values that can be subtracted; other tensors are only bytes.</summary>
    public bool HasValues => Packed is not null || DenseReader.CanRead(Stored.DType);

    public IEnumerable<CheckpointTensor> Parts => Packed?.Parts ?? [Stored];

    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary><c>BF16</c>, or <c>nf4 b64 double bfloat16</c>.</summary>
    public string Format => Packed is null ? Stored.DType.Name() : WeightText.Full(Packed);

    /// <summary>
    /// Puts the experts' matrices in the place of their stacks where the other checkpoint has the matrices and not the stacks.
    /// </summary>
    /// <param name="prefix">Of the names on both sides.</param>
    public static void SplitLike(SortedDictionary<string, DiffWeight> weights, ModelFacts facts, SortedDictionary<string, DiffWeight> other, string prefix)
    {
        List<TensorPlan> plain = [.. weights.Values.Where(static weight => weight.Packed is null).Select(static weight => DenseTensors.Plain(weight.Stored))];
        if (ExpertSplit.IfAny(plain, facts, name => other.ContainsKey(prefix + name)) is not { } split) return;
        foreach (TensorPlan tensor in split.Tensors)
        {
            if (tensor.Input is not SlicedInput slice) continue;
            weights.Remove(prefix + tensor.Source.Name);
            weights[prefix + slice.Name] = new DiffWeight(tensor.Source, null, ElementType.F32) { Slice = slice, Prefix = prefix };
        }
    }

    /// <summary>A checkpoint's weights by name, those with a broken layout refused; of formats that are not read, tensors as stored.</summary>
    /// <param name="checkpoint">Null for a component that its pipeline does not have: no weights.</param>
    /// <param name="prefix">Of the names.</param>
    /// <exception cref="CheckpointFormatException">A weight is broken.</exception>
    public static SortedDictionary<string, DiffWeight> AllOf(Checkpoint? checkpoint, string prefix)
    {
        var weights = new SortedDictionary<string, DiffWeight>(StringComparer.Ordinal);
        if (checkpoint is null) return weights;
        QuantizedCheckpoint read = DataTypeCatalog.Read(checkpoint);
        read.ThrowIfMalformed();
        foreach (QuantizedWeight packed in read.Weights) Add(new DiffWeight(packed.Stored, packed, DataTypeCatalog.DenseTypeOf(packed, checkpoint.Config)));
        foreach (CheckpointTensor plain in read.Plain.Concat(read.Unread)) Add(new DiffWeight(plain, null, ElementType.F32));
        return weights;

        void Add(DiffWeight weight) => weights[prefix + weight.OwnName] = weight with { Prefix = prefix };
    }
}
