using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Plans;

/// <summary>The values of a quantized weight, decoded as its own library does.</summary>
/// <param name="Weight">The weight.</param>
/// <param name="Type">The type that its values are rounded to.</param>
/// <param name="IsConv1D">True when the dense tensor is [in, out], as GPT-2 stores it; decoding gives [out, in].</param>
/// <param name="Shapes">What a worker's buffers must hold to decode it.</param>
internal sealed record DecodedInput(QuantizedWeight Weight, ElementType Type, bool IsConv1D, BufferShape Shapes)
    : WeightInput(Weight.Name, FloatTypes.Stored(Type), ShapeOf(Weight, IsConv1D))
{
    public override IEnumerable<CheckpointTensor> Parts => Weight.Parts;

    public override BufferShape? Buffers => Shapes;

    /// <summary>Shape of the dense tensor as it would be stored.</summary>
    public static TensorShape ShapeOf(QuantizedWeight weight, bool isConv1D) =>
        isConv1D ? TensorShape.Of(weight.Columns, weight.Rows) : weight.DenseShape;
}
