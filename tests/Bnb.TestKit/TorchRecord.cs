namespace Bnb.TestKit;

/// <summary>One member of a zip archive to write, and the lies to tell about it.</summary>
/// <param name="Name">Its name in the directory, top folder included.</param>
/// <param name="Data">Its bytes, as they shall lie in the file.</param>
public sealed record TorchRecord(string Name, byte[] Data)
{
    /// <summary>Its name in the local header, when it is another one.</summary>
    public string? LocalName { get; init; }

    /// <summary>8 for deflate; 0 is stored.</summary>
    public ushort Method { get; init; }

    /// <summary>Flag bits of both headers.</summary>
    public ushort Flags { get; init; }

    /// <summary>The checksum to claim, when not the right one.</summary>
    public uint? Crc { get; init; }

    /// <summary>The length to claim, when not the right one.</summary>
    public uint? Length { get; init; }

    /// <summary>The length to claim in the local header, when not the same.</summary>
    public uint? LocalLength { get; init; }

    /// <summary>The stored length to claim, when not the right one.</summary>
    public uint? Stored { get; init; }

    /// <summary>The place to claim, when not the right one.</summary>
    public uint? Offset { get; init; }

    /// <summary>True to give the numbers in a 64-bit extra field.</summary>
    public bool IsZip64 { get; init; }
}
