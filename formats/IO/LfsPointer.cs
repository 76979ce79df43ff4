using System.Buffers.Text;
using System.Globalization;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.IO;

/// <summary>
/// The small text file that Git leaves in place of a large one when Git LFS did not run: the most common reason why a
/// checkpoint cannot be read. Rules: the Git LFS specification, including its pre-release address.
/// </summary>
internal readonly record struct LfsPointer(string? Oid, long? Size)
{
    /// <summary>What to do about pointers.</summary>
    public const string Action = "git lfs install && git lfs pull   (or: hf download ORG/NAME --local-dir .)";

    /// <summary>Reads a whole file's bytes as a pointer; null when they are none.</summary>
    public static LfsPointer? TryParse(ReadOnlySpan<byte> file)
    {
        if (file.Length > FormatLimits.LfsPointerBytes) return null;
        if (!file.StartsWith("version https://git-lfs.github.com/spec/"u8)
            && !file.StartsWith("version https://hawser.github.com/spec/"u8)) return null;

        string? oid = null;
        long? size = null;
        foreach (Range range in file.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = file[range].TrimEnd((byte)'\r');
            if (line.StartsWith("oid "u8)) oid = DisplayText.Escape(line[4..], 80);
            else if (line.StartsWith("size "u8)) size = Utf8Parser.TryParse(line[5..], out long value, out _) ? value : null;
        }

        return new LfsPointer(oid, size);
    }

    /// <summary>The error for one file that is a pointer; nothing happens otherwise.</summary>
    /// <exception cref="CheckpointFormatException">The bytes are a pointer.</exception>
    public static void ThrowIfPointer(ReadOnlySpan<byte> file, string path)
    {
        if (TryParse(file) is not { } pointer) return;
        throw new CheckpointFormatException(
            FormatError.FileIsLfsPointer,
            $"{FileProbe.ShortName(path)} is a Git LFS pointer; the file itself was not downloaded",
            path,
            facts: [("size", $"{DisplayText.Bytes(file.Length)}, {pointer.SizeText}"), ("oid", pointer.Oid ?? "not given")],
            action: Action);
    }

    /// <summary>The size of the real file in words.</summary>
    public string SizeText =>
        Size is { } size ? string.Create(CultureInfo.InvariantCulture, $"real size {size:N0}") : "real size not given";
}
