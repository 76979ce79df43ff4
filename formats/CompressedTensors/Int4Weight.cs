using Bnb.Formats.Tensors;

namespace Bnb.Formats.CompressedTensors;

/// <summary>
/// One group-wise INT4 weight in compressed-tensors' layout "pack-quantized". A value is
/// <c>(code - zero point) * scale</c>, both of the value's row and group, code and zero point from -8 to 7.
/// </summary>
/// <param name="Name">Name of the dense tensor: the module's name and <c>.weight</c>; the stored ones end otherwise.</param>
/// <param name="Packed">I32 [rows, ceil(columns / 8)]: eight codes plus 8 a word, the first in the lowest bits.</param>
/// <param name="Scale">F16, BF16 or F32 [rows, groups].</param>
/// <param name="ZeroPoint">I32 [ceil(rows / 8), groups]: eight rows a word, packed as the codes are; null when symmetric,
/// which is zero points of 0.</param>
/// <param name="ShapeTensor">I64 or I32 [2]: rows and columns.</param>
/// <param name="ColumnCount">The columns that <paramref name="ShapeTensor"/> gives; packing rounds them up.</param>
public sealed record Int4Weight(
    string Name,
    CheckpointTensor Packed,
    CheckpointTensor Scale,
    CheckpointTensor? ZeroPoint,
    CheckpointTensor ShapeTensor,
    long ColumnCount) : QuantizedWeight(Name, Packed)
{
    /// <summary><c>int4</c>.</summary>
    public override string Type => "int4";

    /// <inheritdoc/>
    public override long Rows => Packed.Shape[0];

    /// <inheritdoc/>
    public override long Columns => ColumnCount;

    /// <summary>Groups of a row, each with its own scale.</summary>
    public long GroupCount => Scale.Shape[1];

    /// <summary>Neighbouring values of a row that share a scale: columns / groups.</summary>
    public long GroupSize => Columns / GroupCount;

    /// <summary>True without zero points.</summary>
    public bool IsSymmetric => ZeroPoint is null;

    /// <inheritdoc/>
    public override IEnumerable<CheckpointTensor> Parts => new[] { Packed, Scale, ZeroPoint, ShapeTensor }.OfType<CheckpointTensor>();
}
