using Bnb.Formats;
using Bnb.Formats.BitsAndBytes;
using Bnb.Quant;
using Bnb.Tool.Policy;

namespace Bnb.Tool.Pipeline;

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

/// <summary>A 4-bit weight on its way back.</summary>
/// <param name="Type">The dtype of the dense weight to write.</param>
/// <param name="Transpose">True to write [in, out], as GPT-2's Conv1D stores it.</param>
internal sealed record Dequantization(BnbWeight Weight, ElementType Type, bool Transpose)
{
    public long OutputBytes => Weight.ValueCount * Type.Size();
}

/// <summary>The numbers behind one quantized tensor, all derived from its header entry and the recipe.</summary>
/// <param name="SourceType">Stored dtype: F16, BF16, F32 or F64.</param>
/// <param name="Rows">Output features of the dense weight <c>[Rows, Columns]</c>, after transposing.</param>
/// <param name="Columns">Input features of the dense weight, after transposing.</param>
/// <param name="Transpose">True when the source stores <c>[Columns, Rows]</c> (GPT-2's Conv1D).</param>
internal sealed record Quantization(DType SourceType, long Rows, long Columns, bool Transpose, QuantizeRecipe Recipe)
{
    public const int NestedBlocksize = NestedAbsmax.Blocksize;

    public int Blocksize => Recipe.Blocksize;

    public long ValueCount => Rows * Columns;

    public long PackedBytes => (ValueCount + 1) / 2;

    public long BlockCount => (ValueCount + Blocksize - 1) / Blocksize;

    public long NestedBlockCount => (BlockCount + NestedBlocksize - 1) / NestedBlocksize;

    /// <summary>The type the kernel sees: F64 is rounded to F32 first.</summary>
    public ElementType ElementType => SourceType switch
    {
        DType.F16 => ElementType.F16,
        DType.BF16 => ElementType.BF16,
        DType.F32 or DType.F64 => ElementType.F32,
        _ => throw new ArgumentOutOfRangeException(nameof(SourceType), SourceType, "not a quantizable dtype"),
    };

    /// <summary>torch's name of <see cref="ElementType"/>, as quant_state and config.json spell it.</summary>
    public string TorchDType => ElementType switch
    {
        ElementType.F16 => "float16",
        ElementType.BF16 => "bfloat16",
        _ => "float32",
    };
}
