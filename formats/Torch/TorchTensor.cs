using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>One tensor of a PyTorch file, checked: it lies inside its storage.</summary>
/// <param name="Info">Name, dtype and shape, and the place of its first byte counted from the start of the file.</param>
/// <param name="Storage">The storage it is in.</param>
/// <param name="Strides">Where its bytes are, or null when they lie one after the other from <see cref="TensorInfo.Begin"/> on.</param>
internal sealed record TorchTensor(TensorInfo Info, StoredRange Storage, TensorStrides? Strides)
{
    /// <summary>Fills <paramref name="destination"/> with the tensor's bytes from <paramref name="offset"/> on, row by row.</summary>
    /// <exception cref="CheckpointFormatException">PT-CRC: its storage is not what the file says.</exception>
    public void Read(IByteSource source, long offset, Span<byte> destination)
    {
        Storage.RequireSound(source);
        if (Strides is { } strides) StridedReader.Read(source, strides, offset, destination);
        else source.Read(Info.Begin + offset, destination);
    }
}
