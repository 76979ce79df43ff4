using Bnb.Formats.Tensors;

namespace Bnb.Formats.BitsAndBytes;

/// <summary>
/// One LLM.int8() weight as bitsandbytes 0.50 saves it (<c>nn/modules.py</c>, <c>Linear8bitLt</c>). A value is
/// <c>code * scb[row] / 127</c>.
/// </summary>
/// <param name="Name">The weight's tensor name.</param>
/// <param name="Codes">I8 [rows, columns], row by row.</param>
/// <param name="Scb">F32 [rows]: the largest magnitude of each row. It is named after the module, <c>up_proj.SCB</c>.</param>
/// <param name="WeightFormat">One U8, value 0 for row order, or null: readers of today do not need it.</param>
public sealed record Int8Weight(string Name, CheckpointTensor Codes, CheckpointTensor Scb, CheckpointTensor? WeightFormat)
    : QuantizedWeight(Name, Codes)
{
    /// <summary><c>int8</c>.</summary>
    public override string Type => "int8";

    /// <inheritdoc/>
    public override long Rows => Codes.Shape[0];

    /// <inheritdoc/>
    public override long Columns => Codes.Shape[1];

    /// <inheritdoc/>
    public override IEnumerable<CheckpointTensor> Parts => new[] { Codes, Scb, WeightFormat }.OfType<CheckpointTensor>();
}
