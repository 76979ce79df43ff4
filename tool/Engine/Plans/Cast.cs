using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Plans;

/// <summary>
/// Floating-point tensors in another dtype, as a loader has them that is given one: rounded to nearest, ties to even, what is
/// too large an infinity, NaN a NaN. F64 is rounded to F32 first, as torch does.
/// </summary>
internal static class Cast
{
    /// <summary>The tensor in that dtype; as it is when it has it, or is no floating-point tensor of 16 to 64 bits.</summary>
    public static TensorPlan To(ElementType type, TensorPlan tensor)
    {
        DType stored = FloatTypes.Stored(type);
        if (tensor.DType == stored || tensor.DType is not (DType.F16 or DType.BF16 or DType.F32 or DType.F64)) return tensor;
        return tensor with
        {
            Input = tensor.Input switch
            {
                DecodedInput decoded => new DecodedInput(decoded.Weight, type, decoded.IsConv1D, decoded.Shapes),
                MergedInput merged => new MergedInput(merged.Base, merged.BaseName, stored, merged.Update, merged.IsFanInFanOut) { Transpose = merged.Transpose },
                _ => new MergedInput(tensor, tensor.Name, stored, Update: null, IsFanInFanOut: false),
            },
        };
    }
}
