using Bnb.Formats.Primitives;

namespace Bnb.Formats.Tensors;

/// <summary>
/// One quantized weight of a checkpoint with all its tensors, their dtypes and shapes already checked against each other.
/// </summary>
/// <param name="Name">Name of the dense tensor, for example <c>model.layers.0.mlp.up_proj.weight</c>, also where no stored
/// tensor has this name.</param>
/// <param name="Stored">The tensor that holds the codes.</param>
public abstract record QuantizedWeight(string Name, CheckpointTensor Stored)
{
    /// <summary>What the codes mean: <c>nf4</c>, <c>fp4</c>, <c>int8</c> or <c>int4</c>.</summary>
    public abstract string Type { get; }

    /// <summary>Output features of the dense weight.</summary>
    public abstract long Rows { get; }

    /// <summary>Input features of the dense weight.</summary>
    public abstract long Columns { get; }

    /// <summary>Matrices of which the dense tensor consists, one below the other in <see cref="Rows"/>: experts, else 1.</summary>
    public virtual long MatrixCount => 1;

    /// <summary>True when the dense tensor has each matrix as [columns, rows], and so not as it is decoded.</summary>
    public virtual bool IsTransposed => false;

    /// <summary>Shape of the dense tensor.</summary>
    public TensorShape DenseShape
    {
        get
        {
            (long rows, long columns) = (MatrixCount > 0 ? Rows / MatrixCount : 0, Columns);
            if (IsTransposed) (rows, columns) = (columns, rows);
            return IsStack ? TensorShape.Of(MatrixCount, rows, columns) : TensorShape.Of(rows, columns);
        }
    }

    /// <summary>True for a dense tensor of 3 dimensions.</summary>
    protected virtual bool IsStack => false;

    /// <summary>Elements of the dense weight; fits 63 bits with room for a bit count.</summary>
    public long ValueCount => Rows * Columns;

    /// <summary>All of the weight's tensors.</summary>
    public abstract IEnumerable<CheckpointTensor> Parts { get; }
}
