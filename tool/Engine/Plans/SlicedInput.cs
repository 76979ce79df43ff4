using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Plans;

/// <summary>
/// Values that lie inside another tensor under a name of their own: an expert's matrix in the stack of all experts, or a whole
/// tensor that is renamed. Nothing is rounded.
/// </summary>
/// <param name="Stack">The tensor they lie in.</param>
/// <param name="Name">The name they get.</param>
/// <param name="Shape">Their shape.</param>
/// <param name="First">Index of the first value in the flat stack.</param>
internal sealed record SlicedInput(TensorPlan Stack, string Name, TensorShape Shape, long First) : WeightInput(Name, Stack.DType, Shape)
{
    /// <summary>
    /// Values from one column to the next where the matrix lies the other way round, [in, out], so that neighbouring rows are
    /// neighbours; 0 where its values follow each other row by row.
    /// </summary>
    public long ColumnStride { get; init; }

    public override IEnumerable<CheckpointTensor> Parts => Stack.Parts;

    public override BufferShape? Buffers => Stack.Input?.Buffers;

    /// <summary>Its share of the stack.</summary>
    public override long StoredBytes
    {
        get
        {
            if (Stack.Input is null) return Shape.ElementCount * (DType.BitSize() / 8);
            return (long)(Stack.SourceBytes * ((double)Shape.ElementCount / Math.Max(1, Stack.Shape.ElementCount)));
        }
    }
}
