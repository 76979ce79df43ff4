using Bnb.Formats.Primitives;

namespace Bnb.Formats.IO;

/// <summary>Bytes of a known number that can be read at any place: a file, or memory where parsers are tested.</summary>
internal interface IByteSource
{
    /// <summary>Path for messages.</summary>
    string Path { get; }

    /// <summary>How many bytes there are.</summary>
    long Length { get; }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/> on.</summary>
    /// <exception cref="CheckpointFormatException">There are fewer bytes than <see cref="Length"/> says.</exception>
    void Read(long offset, Span<byte> destination);
}
