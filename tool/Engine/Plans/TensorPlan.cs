using Bnb.Engine.Policy;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.Plans;

/// <summary>
/// What happens to one source tensor: it is quantized, or dequantized (then <see cref="Source"/> is the packed tensor), or,
/// when neither is set, copied byte for byte.
/// </summary>
internal sealed record TensorPlan(
    CheckpointTensor Source, TensorDecision Decision, Quantization? Quantization, Dequantization? Dequantization = null)
{
    /// <summary>The files that its data come from, one entry per tensor read.</summary>
    public IEnumerable<CheckpointFile> SourceFiles => Dequantization is { } packed
        ? packed.Weight.Parts.Select(part => part.File)
        : [Source.File];

    public long SourceBytes => Dequantization is { } packed ? packed.Weight.Parts.Sum(part => part.ByteCount) : Source.ByteCount;
}

/// <summary>A quantized weight on its way back.</summary>
/// <param name="Type">The dtype of the dense weight to write.</param>
/// <param name="Transpose">True to write [in, out], as GPT-2's Conv1D stores it.</param>
internal sealed record Dequantization(QuantizedWeight Weight, ElementType Type, bool Transpose)
{
    public long OutputBytes => Weight.ValueCount * Type.Size();
}
