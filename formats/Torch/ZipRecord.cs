namespace Bnb.Formats.Torch;

/// <summary>One member of a zip archive whose bytes lie in it as they are.</summary>
/// <param name="Name">Its name below the archive's one top folder.</param>
/// <param name="Start">Its first byte, counted from the start of the file.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Crc32">Their checksum; 0 when the writer left it out.</param>
internal readonly record struct ZipRecord(string Name, long Start, long Length, uint Crc32);
