using Bnb.Formats;
using Bnb.Formats.BitsAndBytes;
using Bnb.Formats.CompressedTensors;
using Bnb.Formats.HuggingFace;
using Bnb.Quant;
using Bnb.Tool.Devices;
using Bnb.Tool.Pipeline;

namespace Bnb.Tool.DataTypes;

/// <summary>
/// Turns a range of a quantized weight back into values, as the type's own library does. Reading and decoding are two steps:
/// who compares two weights needs the second one only where the first one differs.
/// </summary>
internal abstract class WeightDecoder
{
    public static WeightDecoder Of(QuantizedWeight weight, TensorSource source, ComputeEngine engine) => weight switch
    {
        BnbWeight blockwise => new Blockwise4Decoder(blockwise, source, engine),
        Int8Weight rows => new Int8Decoder(rows, source, engine),
        Int4Weight groups => new Int4Decoder(groups, source, engine.Path),
        _ => throw new ArgumentException($"no decoder for {weight.Type}", nameof(weight)),
    };

    /// <summary>What a worker's buffers must hold to decode it.</summary>
    public static BufferShape BuffersOf(QuantizedWeight weight) => weight switch
    {
        BnbWeight blockwise => new BufferShape(4, blockwise.State.Blocksize, blockwise.State.Blocksize * NestedAbsmax.Blocksize),
        Int8Weight rows => new BufferShape(8, Math.Max(1, rows.Columns), 1),
        Int4Weight groups => new BufferShape(4, groups.GroupSize, Int4Quantization.PerWord),
        _ => throw new ArgumentException($"no decoder for {weight.Type}", nameof(weight)),
    };

    /// <summary>
    /// The dtype that decoding yields when nobody asks for another: the one the weight was quantized from where the file says
    /// it, else the model's, else float16, which LLM.int8() rounds to first.
    /// </summary>
    public static ElementType DenseType(QuantizedWeight weight, ModelConfig? config) => weight switch
    {
        BnbWeight blockwise => FloatTypes.Named(blockwise.State.DType) ?? ElementType.F32,
        Int4Weight groups => FloatTypes.Of(groups.Scale.DType) ?? ElementType.F32,
        _ => FloatTypes.Named(config?.TorchDType) ?? ElementType.F16,
    };

    /// <summary>Reads values <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> as stored, to
    /// <see cref="WorkerBuffers.Codes"/>, <see cref="WorkerBuffers.Scales"/> and <see cref="WorkerBuffers.ZeroPoints"/>.</summary>
    /// <param name="first">A multiple of the weight's <see cref="BufferShape.ChunkMultiple"/>.</param>
    public abstract void Load(long first, int count, WorkerBuffers buffers);

    /// <summary>Decodes what <see cref="Load"/> read.</summary>
    /// <param name="destination">Values of <paramref name="type"/>; may be <see cref="WorkerBuffers.Raw"/>.</param>
    public abstract void Decode(long first, int count, ElementType type, Span<byte> destination, WorkerBuffers buffers);

    /// <summary>The scales that <see cref="Load"/> read, as float32.</summary>
    public virtual ReadOnlySpan<float> Scales(int count, WorkerBuffers buffers) => buffers.Scales.AsSpan(0, count);
}
