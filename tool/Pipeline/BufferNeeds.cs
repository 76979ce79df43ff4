using Bnb.Formats;
using Bnb.Quant;

namespace Bnb.Tool.Pipeline;

/// <summary>What the tensors of a run ask of a worker's buffers.</summary>
/// <param name="WidestValue">Bytes per dense value: of the source when quantizing, of the output when dequantizing.</param>
/// <param name="SmallestBlocksize">Decides how many absmax values a chunk has.</param>
/// <param name="LargestBlocksize">Decides the smallest chunk of whole nested blocks.</param>
/// <param name="Gathers">True when some tensor is transposed and workers need a second buffer for that.</param>
/// <param name="DenseReaders">Weights a worker has as float32 at the same time; each needs a <see cref="DenseBuffers"/>.</param>
internal sealed record BufferNeeds(int WidestValue, int SmallestBlocksize, int LargestBlocksize, bool Gathers, int DenseReaders = 0)
{
    public const int DefaultBlocksize = 64;

    public static BufferNeeds OfQuantize(IReadOnlyList<TensorPlan> tensors)
    {
        var quantized = tensors.Select(tensor => tensor.Quantization).OfType<Quantization>().ToList();
        return Of(quantized, q => q.SourceType.BitSize() / 8, q => q.Blocksize, q => q.Transpose);
    }

    public static BufferNeeds OfDequantize(IReadOnlyList<TensorPlan> tensors)
    {
        var packed = tensors.Select(tensor => tensor.Dequantization).OfType<Dequantization>().ToList();
        return Of(packed, d => d.Type.Size(), d => d.Weight.State.Blocksize, d => d.Transpose);
    }

    private static BufferNeeds Of<T>(
        List<T> tensors, Func<T, int> width, Func<T, int> blocksize, Func<T, bool> transposed) => tensors.Count == 0
        ? new BufferNeeds(0, DefaultBlocksize, DefaultBlocksize, false)
        : new BufferNeeds(tensors.Max(width), tensors.Min(blocksize), tensors.Max(blocksize), tensors.Any(transposed));
}
