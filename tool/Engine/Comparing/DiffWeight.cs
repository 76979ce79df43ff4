using Bnb.Engine.DataTypes;
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
    /// <summary>The folder of a pipeline's component with a slash; nothing of a model.</summary>
    public string Prefix { get; private init; } = "";

    /// <summary>The prefix, and the name in the weight files.</summary>
    public string Name => Prefix + OwnName;

    /// <summary>The name in the weight files.</summary>
    public string OwnName => Packed?.Name ?? Stored.Name;

    /// <summary>Shape of the dense weight.</summary>
    public IReadOnlyList<long> Shape => Packed is null ? Stored.Shape.Dimensions : [Packed.Rows, Packed.Columns];

    public long ValueCount => Packed?.ValueCount ?? Stored.Shape.ElementCount;

    /// <summary>True when it has values that can be subtracted; other tensors are only bytes.</summary>
    public bool HasValues => Packed is not null || DenseReader.CanRead(Stored.DType);

    public IEnumerable<CheckpointTensor> Parts => Packed?.Parts ?? [Stored];

    public string ShapeText => $"[{string.Join(", ", Shape)}]";

    /// <summary><c>BF16</c>, or <c>nf4 b64 double bfloat16</c>.</summary>
    public string Format => Packed is null ? Stored.DType.Name() : WeightText.Full(Packed);

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
