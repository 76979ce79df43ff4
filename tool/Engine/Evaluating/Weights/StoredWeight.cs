using Bnb.Engine.Evaluating.Families;
using Bnb.Engine.Plans;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Evaluating.Weights;

/// <summary>A weight as a checkpoint has it: a plain tensor, or the codes of a quantized one.</summary>
/// <param name="Packed">Null for a plain tensor.</param>
internal sealed record StoredWeight(CheckpointTensor Tensor, QuantizedWeight? Packed)
{
    /// <summary>Where in <see cref="Tensor"/>, a stack of experts, it is; null when the tensor is all of it.</summary>
    public SlicedInput? Slice { get; init; }

    /// <summary>The dense shape, for messages.</summary>
    public string ShapeText => (Slice?.Shape ?? Packed?.DenseShape ?? Tensor.Shape).ToString();

    /// <summary>Whether it is the matrix or vector that is wanted, or holds it.</summary>
    public bool Fits(WeightUse use)
    {
        if (Packed is not null && Slice is null)
        {
            // Matrices of a stack lie one below the other, outputs first, however the dense tensor has them.
            long matrices = Packed.MatrixCount;
            return (use.Index is { } matrix ? matrix < matrices : matrices == 1)
                && Packed.Rows == matrices * use.Rows && Packed.Columns == use.Columns;
        }

        List<long> dimensions = [.. (Slice?.Shape ?? Tensor.Shape).Dimensions];
        if (use.Index is { } index)
        {
            if (dimensions.Count == 0 || dimensions[0] <= index) return false;
            dimensions.RemoveAt(0);
        }

        if (use.Columns == 1 && dimensions.Count == 1) return dimensions[0] == use.Rows;
        (int outer, int inner) = use.InputsFirst ? (use.Columns, use.Rows) : (use.Rows, use.Columns);
        return dimensions.Count == 2 && dimensions[0] == outer && dimensions[1] == inner;
    }
}
