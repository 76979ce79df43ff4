using Bnb.Formats.Tensors;

namespace Bnb.Formats.BitsAndBytes;

/// <summary>
/// One 4-bit weight of a checkpoint with its companions, their dtypes and shapes already checked against each other.
/// </summary>
/// <param name="Name">The weight's tensor name.</param>
/// <param name="State">The parsed quant_state blob.</param>
/// <param name="StateBlob">The tensor that holds the blob.</param>
/// <param name="Packed">Two codes a byte, first in the high nibble; declared as U8 or as a wider quant_storage dtype.</param>
/// <param name="Absmax">F32 [blocks]; with double quantization U8 codes.</param>
/// <param name="QuantMap">F32 [16].</param>
/// <param name="NestedAbsmax">F32 [ceil(blocks / 256)] with double quantization, else null.</param>
/// <param name="NestedQuantMap">F32 [256] with double quantization, else null.</param>
public sealed record BnbWeight(
    string Name,
    BnbQuantState State,
    CheckpointTensor StateBlob,
    CheckpointTensor Packed,
    CheckpointTensor Absmax,
    CheckpointTensor QuantMap,
    CheckpointTensor? NestedAbsmax,
    CheckpointTensor? NestedQuantMap) : QuantizedWeight(Name, Packed)
{
    /// <summary><c>nf4</c> or <c>fp4</c>.</summary>
    public override string Type => State.QuantType;

    /// <inheritdoc/>
    public override long Rows => State.Shape[0];

    /// <inheritdoc/>
    public override long Columns => State.Shape[1];

    /// <summary>Absmax values.</summary>
    public long BlockCount => (ValueCount + State.Blocksize - 1) / State.Blocksize;

    /// <summary>True with double quantization.</summary>
    public bool IsNested => NestedAbsmax is not null;

    /// <inheritdoc/>
    public override IEnumerable<CheckpointTensor> Parts =>
        new[] { StateBlob, Packed, Absmax, QuantMap, NestedAbsmax, NestedQuantMap }.OfType<CheckpointTensor>();
}
