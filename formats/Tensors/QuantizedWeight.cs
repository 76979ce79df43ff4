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

    /// <summary>Elements of the dense weight; fits 63 bits with room for a bit count.</summary>
    public long ValueCount => Rows * Columns;

    /// <summary>All of the weight's tensors.</summary>
    public abstract IEnumerable<CheckpointTensor> Parts { get; }
}
