using Bnb.Formats.Primitives;
using Bnb.Formats.Torch;

namespace Bnb.Formats.Tensors;

/// <summary>One tensor of a checkpoint and the file it is in.</summary>
/// <param name="Info">Its description in the file's header.</param>
/// <param name="File">The file.</param>
public sealed record CheckpointTensor(TensorInfo Info, CheckpointFile File)
{
    /// <summary>Its key, unique in the checkpoint.</summary>
    public string Name => Info.Name;

    /// <summary>How its elements are stored.</summary>
    public DType DType => Info.DType;

    /// <summary>Its dimensions.</summary>
    public TensorShape Shape => Info.Shape;

    /// <summary>Bytes it takes.</summary>
    public long ByteCount => Info.ByteCount;

    /// <summary>
    /// Its first byte, counted from the start of the file. Not aligned to anything. The others need not follow it: read them
    /// with a <see cref="WeightReader"/>.
    /// </summary>
    public long FileOffset => File.DataStart + Info.Begin;

    /// <summary>Whether its bytes follow each other from <see cref="FileOffset"/> on.</summary>
    public bool IsInOnePiece => Stored is null;

    /// <summary>Where its bytes are in a PyTorch file; null where they follow each other from <see cref="FileOffset"/> on.</summary>
    internal TorchTensor? Stored { get; init; }
}
