using Bnb.Engine.Architectures;
using Bnb.Engine.DataTypes;
using Bnb.Engine.Output;
using Bnb.Engine.Policy;
using Bnb.Formats.Checkpoints;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Inspecting;

/// <summary>One weight of a checkpoint as a user thinks of it: a plain tensor, or a quantized one with its companions.</summary>
/// <param name="Tensor">The plain tensor, or the one that holds the codes.</param>
/// <param name="Weight">Null for a plain tensor.</param>
internal sealed record InspectedTensor(CheckpointTensor Tensor, QuantizedWeight? Weight)
{
    /// <summary>Name of the dense weight.</summary>
    public string Name => Weight?.Name ?? Tensor.Name;

    /// <summary>Elements of the dense weight.</summary>
    public long ParameterCount => Weight?.ValueCount ?? Tensor.Shape.ElementCount;

    /// <summary>With companions.</summary>
    public long ByteCount => Weight?.Parts.Sum(part => part.ByteCount) ?? Tensor.ByteCount;

    /// <summary>Shape of the dense weight.</summary>
    public string Shape => Weight is null ? Tensor.Shape.ToString() : $"[{Weight.Rows}, {Weight.Columns}]";

    public string Format => Weight is null ? Tensor.DType.Name() : WeightText.Full(Weight);
}

/// <summary>A checkpoint's weights, read from headers and the small tensors that describe a weight.</summary>
internal sealed record InspectSummary(
    QuantizedCheckpoint Weights, IReadOnlyList<InspectedTensor> Tensors)
{
    /// <summary>What the folder says of how it was made, null when it has no manifest that can be read.</summary>
    public OutputManifest? Manifest { get; init; }

    /// <summary>The component of a pipeline; null for a model.</summary>
    public string? Component { get; init; }

    /// <summary>Quantized weights.</summary>
    public int QuantizedCount => Tensors.Count(static tensor => tensor.Weight is not null);

    public Checkpoint Checkpoint => Weights.Source;

    /// <summary>Libraries that have the model's class; empty when none is known to.</summary>
    public IReadOnlyList<string> KnownTo => ExplainRun.KnownTo(ModelFinder.Find(
        Atlas.Embedded, ModelFactsReader.Read(Checkpoint.Config).Identity, Tensors.Where(static tensor => tensor.Tensor.Shape.Rank >= 2 || tensor.Weight is not null).Select(static tensor => tensor.Name)));

    public IReadOnlyList<WeightProblem> Problems => Weights.Problems;

    public long ParameterCount => Tensors.Sum(tensor => tensor.ParameterCount);

    public long TensorBytes => Tensors.Sum(tensor => tensor.ByteCount);

    public double BitsPerParameter => ParameterCount == 0 ? 0 : TensorBytes * 8.0 / ParameterCount;

    /// <exception cref="CheckpointFormatException">Some weight of a known layout is broken.</exception>
    public void ThrowIfMalformed() => Weights.ThrowIfMalformed();

    /// <exception cref="CheckpointFormatException">What describes a weight is malformed.</exception>
    public static InspectSummary Of(Checkpoint checkpoint)
    {
        QuantizedCheckpoint weights = DataTypeCatalog.Read(checkpoint);
        IEnumerable<InspectedTensor> plain = weights.Plain.Concat(weights.Unread).Select(tensor => new InspectedTensor(tensor, null));
        IEnumerable<InspectedTensor> packed = weights.Weights.Select(weight => new InspectedTensor(weight.Stored, weight));
        return new InspectSummary(weights, [.. plain.Concat(packed)]);
    }
}
