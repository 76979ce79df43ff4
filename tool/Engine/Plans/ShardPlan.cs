using Bnb.Formats.Primitives;

namespace Bnb.Engine.Plans;

/// <summary>Which part of a source tensor an output tensor carries.</summary>
internal enum OutputRole
{
    Copied,
    Codes,
    Scale,
    ZeroPoint,
    QuantMap,
    NestedAbsmax,
    NestedQuantMap,
    QuantState,
    WeightFormat,
    WeightShape,
    Dense,
}

/// <summary>One tensor of an output shard.</summary>
/// <param name="Info">Name, dtype, shape and place. For <see cref="OutputRole.QuantState"/> the longest the blob can be.</param>
internal sealed record OutputTensor(TensorPlan Plan, OutputRole Role, TensorInfo Info);

/// <summary>
/// One output file, decided before any weight is read. Everything but the quant_state blobs has its final place; those
/// blobs hold the text of a number known only after the weights were read (nested_offset), so they come last and the
/// header is reserved for their longest form.
/// </summary>
/// <param name="FileName">Final name, for example <c>model-00001-of-00003.safetensors</c>.</param>
/// <param name="Tensors">Source tensors in processing order.</param>
/// <param name="Outputs">Output tensors in file order, quant_state blobs last.</param>
/// <param name="HeaderLength">Bytes before the data section: length prefix, JSON, padding.</param>
/// <param name="FixedLength">Bytes of the data section before the first quant_state blob.</param>
/// <param name="MaximumLength">File length if every blob had its longest form.</param>
internal sealed record ShardPlan(
    string FileName,
    IReadOnlyList<TensorPlan> Tensors,
    ShardOutputs Outputs,
    int HeaderLength,
    long FixedLength,
    long MaximumLength)
{
    /// <summary>Bytes to read for it, which is what the work on it costs.</summary>
    public long SourceBytes => Tensors.Sum(tensor => tensor.SourceBytes);
}
