using Bnb.Formats;
using Bnb.Quant;
using Bnb.Tool.Policy;

namespace Bnb.Tool.Pipeline;

/// <summary>What happens to one source tensor.</summary>
/// <param name="Quantization">Null when the tensor is copied byte for byte.</param>
internal sealed record TensorPlan(CheckpointTensor Source, TensorDecision Decision, Quantization? Quantization);

/// <summary>The numbers behind one quantized tensor, all derived from its header entry and the recipe.</summary>
/// <param name="SourceType">Stored dtype: F16, BF16, F32 or F64.</param>
/// <param name="Rows">Output features of the dense weight <c>[Rows, Columns]</c>, after transposing.</param>
/// <param name="Columns">Input features of the dense weight, after transposing.</param>
/// <param name="Transpose">True when the source stores <c>[Columns, Rows]</c> (GPT-2's Conv1D).</param>
internal sealed record Quantization(DType SourceType, long Rows, long Columns, bool Transpose, int Blocksize)
{
    public const int NestedBlocksize = NestedAbsmax.Blocksize;

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
