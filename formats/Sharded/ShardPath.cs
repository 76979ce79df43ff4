using System.Text;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Sharded;

/// <summary>
/// The rule for shard names in an index. They are joined to the model folder, so a name chosen by a stranger must not lead
/// out of it on any system: what is harmless on Linux is a path on Windows.
/// </summary>
internal static class ShardPath
{
    /// <summary>Checks one name; returns when it is a relative path to a file inside the folder that ends
    /// as the index's own name says.</summary>
    /// <exception cref="CheckpointFormatException">IDX-PATH, as malformed or as unsafe.</exception>
    public static void Check(string path, string ending, string indexFile)
    {
        if (path.Length == 0) throw Error(FormatError.IndexPathMalformed, path, indexFile, "is empty");
        if (Encoding.UTF8.GetByteCount(path) > FormatLimits.ShardPathBytes)
            throw Error(FormatError.IndexPathMalformed, path, indexFile, "is too long");
        if (path.Any(char.IsControl)) throw Error(FormatError.IndexPathUnsafe, path, indexFile, "has control characters");
        if (path.Contains('\\', StringComparison.Ordinal))
            throw Error(FormatError.IndexPathUnsafe, path, indexFile, "has a backslash");
        if (path[0] == '/') throw Error(FormatError.IndexPathUnsafe, path, indexFile, "is an absolute path");
        // Drive letters and alternate data streams.
        if (path.Contains(':', StringComparison.Ordinal))
            throw Error(FormatError.IndexPathUnsafe, path, indexFile, "has a colon");

        foreach (string part in path.Split('/'))
        {
            if (part == "..") throw Error(FormatError.IndexPathUnsafe, path, indexFile, "climbs out with ..");
            if (part is "" or ".")
                throw Error(FormatError.IndexPathMalformed, path, indexFile, "has an empty part or names a folder");
            if (Encoding.UTF8.GetByteCount(part) > FormatLimits.FileNameBytes)
                throw Error(
                    FormatError.IndexPathMalformed, path, indexFile, $"has a part over {FormatLimits.FileNameBytes} bytes");
        }

        if (!path.EndsWith(ending, StringComparison.Ordinal))
            throw Error(FormatError.IndexPathUnsafe, path, indexFile, $"is not a {ending} file");
    }

    private static CheckpointFormatException Error(FormatError error, string path, string indexFile, string rule) => new(
        error,
        $"{FileProbe.ShortName(indexFile)} names a shard whose path {rule}",
        indexFile,
        facts: [("shard", path.Length == 0 ? "(empty)" : DisplayText.Escape(path))],
        action: "get the index from its publisher again; do not edit the path to make it work");
}
