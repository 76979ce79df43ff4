using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Formats.ScaledFloats;

/// <summary>
/// A weight of small floats with a grid of scales: FP8 (E4M3) per tensor, channel, group or block, MXFP4, MXFP8 and NVFP4. A
/// value is code * scale of its block.
/// </summary>
/// <param name="Name">Name of the dense tensor.</param>
/// <param name="Codes">F8_E4M3, or two E2M1 codes a byte, the first in the lower half: row by row, matrix by matrix.</param>
/// <param name="Scale">The grid, row by row: ceil(rows / <paramref name="BlockRows"/>) x ceil(columns /
/// <paramref name="BlockColumns"/>) scales of each matrix.</param>
/// <param name="Type"><c>fp8</c>, <c>mxfp8</c>, <c>mxfp4</c> or <c>nvfp4</c>.</param>
/// <param name="Matrices">Matrices of a tensor of 3 dimensions: experts; null for a matrix.</param>
/// <param name="MatrixRows">Rows of each matrix.</param>
/// <param name="ColumnCount">Values of a row.</param>
/// <param name="BlockRows">Rows that share a scale, at least 1.</param>
/// <param name="BlockColumns">Neighbouring values of a row that share a scale, at least 1.</param>
public sealed record ScaledFloatWeight(
    string Name,
    CheckpointTensor Codes,
    CheckpointTensor Scale,
    string Type,
    long? Matrices,
    long MatrixRows,
    long ColumnCount,
    long BlockRows,
    long BlockColumns) : QuantizedWeight(Name, Codes)
{
    /// <inheritdoc/>
    public override string Type { get; } = Type;

    /// <inheritdoc/>
    public override long MatrixCount => Matrices ?? 1;

    /// <summary>True when the dense tensor has each matrix as [columns, rows]: gpt-oss' experts.</summary>
    public bool IsOtherWayRound { get; init; }

    /// <inheritdoc/>
    public override bool IsTransposed => IsOtherWayRound;

    /// <inheritdoc/>
    protected override bool IsStack => Matrices is not null;

    /// <summary>What a stored scale means.</summary>
    public ScaleForm Form { get; init; }

    /// <summary>One F32 that belongs to all scales, or null.</summary>
    public CheckpointTensor? GlobalScale { get; init; }

    /// <summary>
    /// The dtype that the format's own library computes in and gives, F16, BF16 or F32; null when it multiplies in float32 and
    /// rounds to the dtype of the model.
    /// </summary>
    public DType? OwnDType { get; init; }

    /// <summary>Scales of activations and the like, which have no meaning for a dense weight.</summary>
    public IReadOnlyList<CheckpointTensor> Unused { get; init; } = [];

    /// <summary>True for E2M1, two codes a byte; false for E4M3.</summary>
    public bool IsFourBit => Codes.DType != DType.F8E4M3;

    /// <summary>Rows of the grid, of one matrix.</summary>
    public long GridRows => DivideUp(MatrixRows, BlockRows);

    /// <summary>Scales of a row of the grid.</summary>
    public long GridColumns => DivideUp(ColumnCount, BlockColumns);

    /// <summary>Rows of all matrices.</summary>
    public override long Rows => MatrixCount * MatrixRows;

    /// <inheritdoc/>
    public override long Columns => ColumnCount;

    /// <inheritdoc/>
    public override IEnumerable<CheckpointTensor> Parts =>
        new[] { Codes, Scale, GlobalScale }.OfType<CheckpointTensor>().Concat(Unused);

    internal static long DivideUp(long value, long by) => (value / by) + (value % by == 0 ? 0 : 1);
}
