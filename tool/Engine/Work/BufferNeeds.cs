using Bnb.Engine.Plans;
using Bnb.Formats.Primitives;
using Bnb.Quant.Numerics;

namespace Bnb.Engine.Work;

/// <summary>What the tensors of a run ask of a worker's buffers.</summary>
/// <param name="WidestValue">Bytes per dense value: of the source when quantizing, of the output when dequantizing.</param>
/// <param name="CodeBits">Bits of the widest code.</param>
/// <param name="ValuesPerScale">Decides how many scales a chunk has: the fewest values that share one.</param>
/// <param name="ChunkMultiple">What a chunk's values are a multiple of; a power of two.</param>
/// <param name="Gathers">True when some tensor is transposed and workers need a second buffer for that.</param>
/// <param name="DenseReaders">Weights a worker has as float32 at the same time; each needs a buffer of that.</param>
internal sealed record BufferNeeds(
    int WidestValue, int CodeBits, long ValuesPerScale, int ChunkMultiple, bool Gathers, int DenseReaders = 0)
{
    /// <summary>What decoding the sources asks for; null when all are plain.</summary>
    public BufferShape? Input { get; init; }

    private static readonly BufferShape Default = new(4, 64, 64);

    public static BufferNeeds OfQuantize(IReadOnlyList<TensorPlan> tensors)
    {
        var quantized = tensors.Select(tensor => tensor.Quantization).OfType<Quantization>().ToList();
        List<TensorPlan> other = [.. tensors.Where(tensor => tensor.Input is not null)];
        return Of(
            [.. quantized.Select(q => q.Buffers), .. tensors.Select(tensor => tensor.Dequantization?.Shapes).OfType<BufferShape>()],
            [
                .. quantized.Select(q => q.SourceType.BitSize() / 8),
                .. other.Select(tensor => tensor.DType.BitSize() / 8),
                .. other.Select(tensor => (tensor.Input as MergedInput)?.Base.DType.BitSize() / 8 ?? 0),
                .. tensors.Select(tensor => tensor.Dequantization?.Type.Size() ?? 0),
            ],
            quantized.Any(q => q.Transpose) || tensors.Any(tensor => tensor.Dequantization is { TransposedMatrices: > 0 })) with
        { Input = InputOf(other) };
    }

    /// <summary>What decoding the inputs of some tensors asks for; null when nothing is decoded.</summary>
    public static BufferShape? InputOf(IEnumerable<TensorPlan> tensors)
    {
        List<BufferShape> shapes = [.. tensors.Select(tensor => tensor.Input?.Buffers).OfType<BufferShape>()];
        return shapes.Count == 0
            ? null
            : new BufferShape(shapes.Max(shape => shape.CodeBits), shapes.Min(shape => shape.ValuesPerScale), shapes.Max(shape => shape.ChunkMultiple));
    }

    public static BufferNeeds Of(IEnumerable<BufferShape> weights, IEnumerable<int> valueBytes, bool gathers, int denseReaders = 0)
    {
        List<BufferShape> shapes = [.. weights.DefaultIfEmpty(Default)];
        return new BufferNeeds(
            valueBytes.DefaultIfEmpty(0).Max(),
            shapes.Max(shape => shape.CodeBits),
            shapes.Min(shape => shape.ValuesPerScale),
            shapes.Max(shape => shape.ChunkMultiple),
            gathers,
            denseReaders);
    }
}
