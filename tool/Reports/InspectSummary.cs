using Bnb.Formats;
using Bnb.Formats.BitsAndBytes;

namespace Bnb.Tool.Reports;

/// <summary>One weight of a checkpoint as a user thinks of it: a plain tensor, or a packed one with its companions.</summary>
/// <param name="State">Null for a plain tensor.</param>
/// <param name="ByteCount">With companions.</param>
/// <param name="ParameterCount">Elements of the dense weight.</param>
internal sealed record InspectedTensor(CheckpointTensor Tensor, BnbQuantState? State, long ByteCount, long ParameterCount)
{
    /// <summary>Shape of the dense weight.</summary>
    public string Shape => State is null ? Tensor.Shape.ToString() : $"[{string.Join(", ", State.Shape)}]";

    public string Format => State is null
        ? Tensor.DType.Name()
        : $"{State.QuantType} b{State.Blocksize}{(State.NestedOffset is null ? "" : " double")} {State.DType}";
}

/// <summary>A checkpoint's weights, read from headers and quant_state blobs only.</summary>
internal sealed record InspectSummary(
    BnbCheckpoint Weights, IReadOnlyList<InspectedTensor> Tensors)
{
    public Checkpoint Checkpoint => Weights.Source;

    public IReadOnlyList<BnbProblem> Problems => Weights.Problems;

    public long ParameterCount => Tensors.Sum(tensor => tensor.ParameterCount);

    public long TensorBytes => Tensors.Sum(tensor => tensor.ByteCount);

    public double BitsPerParameter => ParameterCount == 0 ? 0 : TensorBytes * 8.0 / ParameterCount;

    /// <exception cref="CheckpointFormatException">BNB-STATE: some weight cannot be decoded.</exception>
    public void ThrowIfBroken() => Weights.ThrowIfBroken();

    /// <exception cref="CheckpointFormatException">A quant_state blob is malformed.</exception>
    public static InspectSummary Of(Checkpoint checkpoint)
    {
        BnbCheckpoint weights = BnbCheckpoint.Read(checkpoint);
        IEnumerable<InspectedTensor> plain = weights.Plain.Select(
            tensor => new InspectedTensor(tensor, null, tensor.ByteCount, tensor.Shape.ElementCount));
        IEnumerable<InspectedTensor> packed = weights.Weights.Select(weight => new InspectedTensor(
            weight.Packed, weight.State, weight.Parts.Sum(part => part.ByteCount), weight.ValueCount));
        return new InspectSummary(weights, [.. plain.Concat(packed)]);
    }
}
