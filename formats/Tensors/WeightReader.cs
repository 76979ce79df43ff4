using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Tensors;

/// <summary>
/// A weight file that is open for reading the bytes of its tensors, whatever its format and wherever they are in it. Safe
/// for concurrent reads.
/// </summary>
public sealed class WeightReader : IDisposable
{
    private readonly PositionedFile _file;

    private WeightReader(PositionedFile file) => _file = file;

    /// <summary>The file as it was when it was opened.</summary>
    public FileIdentity Identity => _file.Identity;

    /// <summary>Opens a file without locking it.</summary>
    /// <exception cref="CheckpointFormatException">It is missing, not a regular file, or permission is denied.</exception>
    /// <exception cref="IOException">The system failed otherwise.</exception>
    public static WeightReader Open(CheckpointFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return new WeightReader(PositionedFile.Open(file.Path));
    }

    /// <summary>
    /// Fills <paramref name="destination"/> with the tensor's bytes from <paramref name="offset"/> on, in row-major order.
    /// Where the file has checksums, all bytes under the same one are compared with it before any of them is returned.
    /// </summary>
    /// <param name="tensor">A tensor of this file.</param>
    /// <param name="offset">First byte, counted from the tensor's first.</param>
    /// <param name="destination">Not longer than what follows there.</param>
    /// <exception cref="CheckpointFormatException">The file ends earlier than when it was opened, or PT-CRC.</exception>
    /// <exception cref="IOException">The device reported an error.</exception>
    public void Read(CheckpointTensor tensor, long offset, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Stored is { } stored) stored.Read(_file, offset, destination);
        else _file.Read(tensor.FileOffset + offset, destination);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
