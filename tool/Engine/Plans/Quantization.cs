using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Plans;

/// <summary>The numbers behind one weight to be quantized, all derived from its header entry and the recipe.</summary>
/// <param name="SourceType">Stored dtype: F16, BF16, F32 or F64.</param>
/// <param name="Rows">Output features of the dense weight <c>[Rows, Columns]</c>, after transposing.</param>
/// <param name="Columns">Input features of the dense weight, after transposing.</param>
/// <param name="Transpose">True when the source stores <c>[Columns, Rows]</c> (GPT-2's Conv1D).</param>
internal abstract record Quantization(DType SourceType, long Rows, long Columns, bool Transpose)
{
    /// <summary>How scales are found.</summary>
    public ScaleRule Scale { get; init; }

    /// <summary>What an error in each input feature weighs when scales are searched; null for 1 everywhere.</summary>
    public float[]? Importance { get; init; }

    public long ValueCount => Rows * Columns;

    /// <summary>The type the kernel sees: F64 is rounded to F32 first.</summary>
    public ElementType ElementType => SourceType == DType.F64
        ? ElementType.F32
        : FloatTypes.Of(SourceType) ?? throw new ArgumentOutOfRangeException(nameof(SourceType), SourceType, "not a quantizable dtype");

    /// <summary>torch's name of <see cref="ElementType"/>, as quant_state and config.json spell it.</summary>
    public string TorchDType => FloatTypes.Name(ElementType);

    /// <summary>What a worker's buffers must hold for it.</summary>
    public abstract BufferShape Buffers { get; }

    /// <summary>
    /// The tensors it becomes, in file order. Their names are the weight's with another end, the same end for every weight, and
    /// all else is the same for every weight too.
    /// </summary>
    public abstract IEnumerable<PlannedTensor> Outputs(string weightName);
}

/// <summary>A tensor that will be written, before it has a place.</summary>
internal sealed record PlannedTensor(string Name, DType DType, TensorShape Shape, OutputRole Role, long Bytes);

/// <summary>How the parts of a weight relate to its values.</summary>
/// <param name="CodeBits">Bits per code: 4 or 8.</param>
/// <param name="ValuesPerScale">Values that share one scale, in flat order.</param>
/// <param name="ChunkMultiple">What the number of values in a unit of work must be a multiple of; a power of two.</param>
internal sealed record BufferShape(int CodeBits, long ValuesPerScale, int ChunkMultiple);
