using Bnb.Engine.Devices;
using Bnb.Engine.Plans;
using Bnb.Engine.Splitting;
using Bnb.Engine.Work;
using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;
using Bnb.Quant.Numerics;
using Bnb.Quant.ScaledCodes;

namespace Bnb.Engine.DataTypes;

/// <summary>
/// The values of a weight as float32, whether it is stored plain or quantized, in pieces that any worker may take.
/// Reading and decoding are two steps: who compares two weights needs the second one only where the first one differs.
/// </summary>
internal abstract class DenseReader
{
    /// <summary>Whether values of this dtype can be read; all others are only bytes here.</summary>
    public static bool CanRead(DType dtype) => dtype is DType.F16 or DType.BF16 or DType.F32 or DType.F64;

    /// <summary>A plain tensor. F64 is rounded to float32, as it is for quantizing; everything else is exact.</summary>
    public static DenseReader Of(CheckpointTensor tensor, TensorSource source) => new PlainReader(tensor, source);

    /// <summary>A plain tensor stored as [columns, rows] and read as [rows, columns].</summary>
    /// <param name="preloaded">The whole tensor when memory was lent for it; without it there are many short reads.</param>
    public static DenseReader Transposed(CheckpointTensor tensor, TensorSource source, long rows, long columns, byte[]? preloaded) =>
        new GatheredReader(tensor, source, rows, columns, preloaded);

    /// <summary>A matrix of a stack, plain, in the stack's dtype.</summary>
    public static DenseReader Of(SlicedReader matrix, DType dtype) => new MatrixReader(matrix, dtype);

    /// <summary>A quantized weight, decoded as <c>dequantize</c> does and rounded to <paramref name="type"/>.</summary>
    public static DenseReader Of(QuantizedWeight weight, ElementType type, TensorSource source, ComputeEngine engine) =>
        new DecodingReader(weight, type, source, engine);

    /// <summary>
    /// Reads values <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> as stored: plain ones to
    /// <see cref="WorkerBuffers.Raw"/>, quantized ones to <see cref="WorkerBuffers.Codes"/> and <see cref="WorkerBuffers.Scales"/>.
    /// </summary>
    /// <param name="first">A multiple of what the data type asks of a chunk.</param>
    public abstract void Load(long first, int count, DenseBuffers buffers);

    /// <summary>The values that <see cref="Load"/> read, in <see cref="DenseBuffers.Values"/>. Uses up what was loaded.</summary>
    public abstract ReadOnlySpan<float> Decode(long first, int count, DenseBuffers buffers);

    /// <summary>The scales that <see cref="Load"/> read; of quantized weights only. Asked before <see cref="Decode"/>.</summary>
    public virtual ReadOnlySpan<float> Scales(int count, DenseBuffers buffers) => throw new InvalidOperationException("a plain tensor has no scales");

    private static void ToSingle(DType dtype, Span<byte> stored, Span<float> values)
    {
        if (dtype == DType.F64)
        {
            // In place, as when quantizing.
            Span<byte> narrowed = stored[..(stored.Length / 2)];
            Narrow.F64ToF32(stored, narrowed);
            stored = narrowed;
        }

        Widen.ToSingle(FloatTypes.Of(dtype) ?? ElementType.F32, stored, values);
    }

    private class PlainReader(CheckpointTensor tensor, TensorSource source) : DenseReader
    {
        protected CheckpointTensor Tensor { get; } = tensor;

        protected TensorSource Source { get; } = source;

        protected int Size { get; } = tensor.DType.BitSize() / 8;

        public override void Load(long first, int count, DenseBuffers buffers) =>
            Source.ReadBytes(Tensor, first * Size, buffers.Stored.Raw.AsSpan(0, count * Size));

        public override ReadOnlySpan<float> Decode(long first, int count, DenseBuffers buffers)
        {
            Span<float> values = buffers.Values.AsSpan(0, count);
            ToSingle(Tensor.DType, buffers.Stored.Raw.AsSpan(0, count * Size), values);
            return values;
        }
    }

    private sealed class MatrixReader(SlicedReader matrix, DType dtype) : DenseReader
    {
        // Its values come to lie in the raw buffer.
        public override void Load(long first, int count, DenseBuffers buffers) => matrix.Read(first, count, buffers.Stored);

        public override ReadOnlySpan<float> Decode(long first, int count, DenseBuffers buffers)
        {
            Span<float> values = buffers.Values.AsSpan(0, count);
            ToSingle(dtype, buffers.Stored.Raw.AsSpan(0, count * (dtype.BitSize() / 8)), values);
            return values;
        }
    }

    private sealed class GatheredReader(CheckpointTensor tensor, TensorSource source, long rows, long columns, byte[]? preloaded)
        : PlainReader(tensor, source)
    {
        public override void Load(long first, int count, DenseBuffers buffers)
        {
            Span<byte> values = buffers.Stored.Gathered.AsSpan(0, count * Size);
            if (preloaded is not null) Conv1D.Gather(preloaded, rows, columns, Size, first, values);
            else Conv1D.Gather((offset, bytes) => Source.ReadBytes(Tensor, offset, bytes), buffers.Stored.Raw, rows, columns, Size, first, values);
            values.CopyTo(buffers.Stored.Raw);
        }
    }

    private sealed class DecodingReader(QuantizedWeight weight, ElementType type, TensorSource source, ComputeEngine engine) : DenseReader
    {
        private readonly WeightDecoder _decoder = DataTypeCatalog.DecoderOf(weight, source, engine);

        public override void Load(long first, int count, DenseBuffers buffers) => _decoder.Load(first, count, buffers.Stored);

        public override ReadOnlySpan<float> Scales(int count, DenseBuffers buffers) => _decoder.Scales(count, buffers.Stored);

        public override ReadOnlySpan<float> Decode(long first, int count, DenseBuffers buffers)
        {
            Span<float> values = buffers.Values.AsSpan(0, count);
            Span<byte> stored = buffers.Stored.Raw.AsSpan(0, count * type.Size());
            _decoder.Decode(first, count, type, stored, buffers.Stored);
            Widen.ToSingle(type, stored, values);
            return values;
        }
    }
}
