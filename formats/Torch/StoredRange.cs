namespace Bnb.Formats.Torch;

/// <summary>The bytes of one storage in a file. Tensors share it when they are views of one storage.</summary>
/// <param name="Key">Its name in the file.</param>
/// <param name="Start">First byte, counted from the start of the file.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Crc32">Their checksum, or null when the file has none.</param>
internal sealed record StoredRange(string Key, long Start, long Length, uint? Crc32);
