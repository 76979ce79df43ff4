using Bnb.Formats.Primitives;
using Bnb.Formats.Tensors;

namespace Bnb.Engine.Plans;

/// <summary>
/// Where the values of a dense weight come from when no tensor of the source holds them as they are: decoded from another
/// quantized form, merged with an adapter, cut out of a stack.
/// </summary>
/// <param name="Name">Name of the dense tensor.</param>
/// <param name="DType">Its dtype.</param>
/// <param name="Shape">Its shape, as it would be stored.</param>
internal abstract record WeightInput(string Name, DType DType, TensorShape Shape)
{
    /// <summary>Every stored tensor that is read for it.</summary>
    public abstract IEnumerable<CheckpointTensor> Parts { get; }

    /// <summary>Bytes that are read for it.</summary>
    public virtual long StoredBytes => Parts.Sum(static part => part.ByteCount);

    /// <summary>What a worker's buffers must hold to decode it; null when nothing is decoded.</summary>
    public abstract BufferShape? Buffers { get; }
}
