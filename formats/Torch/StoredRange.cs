using Bnb.Formats.IO;

namespace Bnb.Formats.Torch;

/// <summary>The bytes of one storage in a file. Tensors share it when they are views of one storage.</summary>
/// <param name="key">Its name in the file.</param>
/// <param name="start">First byte, counted from the start of the file.</param>
/// <param name="length">Bytes.</param>
/// <param name="crc32">Their checksum, or null when the file has none.</param>
internal sealed class StoredRange(string key, long start, long length, uint? crc32)
{
    private readonly Lock _lock = new();
    private bool _isSound = crc32 is null;

    public string Key { get; } = key;

    public long Start { get; } = start;

    public long Length { get; } = length;

    public uint? Crc32 { get; } = crc32;

    /// <summary>
    /// Compares the bytes with their checksum the first time that somebody needs them, so that none is used before all were
    /// looked at. They are read once more for it, and are in the system's memory then.
    /// </summary>
    /// <exception cref="Primitives.CheckpointFormatException">PT-CRC.</exception>
    public void RequireSound(IByteSource source)
    {
        lock (_lock)
        {
            if (_isSound) return;
            ChecksummedRange.Require(source, this, new TorchErrors(source.Path));
            _isSound = true;
        }
    }
}
