using Bnb.Engine.Policy;
using Bnb.Formats.Primitives;
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
    /// <summary>Where the values come from when <see cref="Source"/> does not hold them as they are; else null.</summary>
    public WeightInput? Input { get; init; }

    /// <summary>Name of the dense tensor.</summary>
    public string Name => Input?.Name ?? Dequantization?.Weight.Name ?? Source.Name;

    /// <summary>Shape of the dense tensor, as it is or would be stored.</summary>
    public TensorShape Shape => Input?.Shape ?? Dequantization?.Shape ?? Source.Shape;

    /// <summary>dtype of the dense tensor.</summary>
    public DType DType => Input?.DType ?? (Dequantization is { } packed ? FloatTypes.Stored(packed.Type) : Source.DType);

    /// <summary>The stored tensors that its data come from.</summary>
    public IEnumerable<CheckpointTensor> Parts => Input?.Parts ?? Dequantization?.Weight.Parts ?? [Source];

    /// <summary>The files that its data come from, one entry per tensor read.</summary>
    public IEnumerable<CheckpointFile> SourceFiles => IsPlain ? [Source.File] : Parts.Select(part => part.File);

    /// <summary>Stored bytes that are read for it.</summary>
    public long SourceBytes => Input?.StoredBytes ?? (IsPlain ? Source.ByteCount : Parts.Sum(static part => part.ByteCount));

    /// <summary>Whether <see cref="Source"/> is all that is read.</summary>
    // Most are, and what is asked of each of a hundred thousand tensors again and again should not look for parts.
    public bool IsPlain => Input is null && Dequantization is null;
}

/// <summary>A quantized weight on its way back.</summary>
/// <param name="Type">The dtype of the dense weight to write.</param>
/// <param name="Transpose">True to write [in, out], as GPT-2's Conv1D stores it.</param>
internal sealed record Dequantization(QuantizedWeight Weight, ElementType Type, bool Transpose)
{
    /// <summary>What a worker's buffers must hold to decode it, where a plan of another kind needs to know.</summary>
    public BufferShape? Shapes { get; init; }

    public long OutputBytes => Weight.ValueCount * Type.Size();

    /// <summary>Shape of the dense tensor to write.</summary>
    public TensorShape Shape => DecodedInput.ShapeOf(Weight, Transpose);

    /// <summary>Matrices that are written the other way round than they are decoded, or 0.</summary>
    public long TransposedMatrices => Transpose ? 1 : Weight.IsTransposed ? Weight.MatrixCount : 0;
}
