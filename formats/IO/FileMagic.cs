using System.Text;
using System.Text.Unicode;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.IO;

/// <summary>Names what a file is that does not start like a safetensors file.</summary>
internal static class FileMagic
{
    /// <summary>What a file with one of the known binary beginnings is, or null.</summary>
    public static string? DescribeBinary(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("PK\u0003\u0004"u8)) return "a zip archive (PyTorch saves .bin and .pt files as such)";
        if (head.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b])) return "gzip data";
        if (head.StartsWith("GGUF"u8)) return "a GGUF file";
        if (head.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'H', (byte)'D', (byte)'F'])) return "an HDF5 file";
        if (head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd])) return "zstd data";
        if (head.StartsWith((ReadOnlySpan<byte>)[0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z'])) return "xz data";
        if (head.Length > 262 && head[257..].StartsWith("ustar"u8)) return "a tar archive";
        // A header of 640 bytes starts with 80 02 as well; a length that long has something in its upper half only in a pickle.
        bool isPickle = head.Length > 2 && head[0] == 0x80 && head[1] is >= 2 and <= 5
            && (head.Length < 8 || head[4..8].ContainsAnyExcept((byte)0));
        return isPickle ? "a Python pickle" : null;
    }

    /// <summary>What a file that starts with readable text is, or null when it does not.</summary>
    public static string? DescribeText(ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> start = head[..Math.Min(head.Length, 64)];
        foreach (byte value in start)
        {
            if (value is < 0x20 and not ((byte)'\t' or (byte)'\r' or (byte)'\n') or 0x7f) return null;
        }

        // A cut may split the last character, so up to three bytes at the end do not count.
        bool isText = false;
        for (int cut = 0; cut <= 3 && cut < start.Length && !isText; cut++) isText = Utf8.IsValid(start[..^cut]);
        if (!isText) return null;

        string text = Encoding.UTF8.GetString(start).TrimStart();
        if (text.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("<html", StringComparison.OrdinalIgnoreCase)) return "an HTML page";
        if (text.StartsWith('<')) return "an XML or HTML text";
        return text.StartsWith('{') || text.StartsWith('[') ? "a JSON text" : "a text";
    }

    /// <summary>True when the first bytes are a plausible safetensors file of that length.</summary>
    public static bool IsSafetensors(ReadOnlySpan<byte> head, long fileLength)
    {
        if (head.Length < 10) return false;
        ulong headerLength = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(head);
        return headerLength <= FormatLimits.HeaderBytes && (long)headerLength + 8 <= fileLength && head[8] == (byte)'{';
    }

    /// <summary>The error for a file that is something else.</summary>
    /// <param name="expected">What it should be, with its article.</param>
    public static CheckpointFormatException Error(
        string path, long fileLength, string what, ReadOnlySpan<byte> head, string expected = "a safetensors") => new(
        FormatError.FileIsSomethingElse,
        $"{FileProbe.ShortName(path)} is not {expected} file; it looks like {what}",
        path,
        facts: [("size", DisplayText.Bytes(fileLength)), ("starts with", DisplayText.Escape(head, 60))],
        action: "download this file again, or give the file that was meant");
}
