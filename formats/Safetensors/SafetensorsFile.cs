using System.Buffers.Binary;
using System.Globalization;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>Reads the header of a safetensors file and nothing else of it.</summary>
public static class SafetensorsFile
{
    /// <summary>
    /// Looks at the file before opening it, then reads its first kilobyte, then a header of a checked length.
    /// </summary>
    /// <exception cref="CheckpointFormatException">
    /// A FILE code when it is missing, denied, no regular file, a Git LFS pointer or of another kind; else an ST code.
    /// </exception>
    /// <exception cref="IOException">The device reported an error.</exception>
    public static SafetensorsHeader ReadHeader(string path)
    {
        // What claims to be a regular file of length 0 may still never end.
        if (FileProbe.RequireRegular(path).Identity.Length == 0) throw TooShort(path, 0);
        using PositionedFile file = PositionedFile.Open(path);
        return ReadHeader(file);
    }

    /// <summary>As <see cref="ReadHeader(string)"/> for a file that is open, so that header and identity belong
    /// together.</summary>
    public static SafetensorsHeader ReadHeader(PositionedFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return ReadHeader((IByteSource)file);
    }

    /// <inheritdoc cref="ReadHeader(PositionedFile)"/>
    internal static SafetensorsHeader ReadHeader(IByteSource file)
    {
        Span<byte> head = stackalloc byte[(int)Math.Min(file.Length, FormatLimits.LfsPointerBytes)];
        file.Read(0, head);
        if (file.Length < 8)
            throw FileMagic.DescribeBinary(head) is { } what ? FileMagic.Error(file.Path, file.Length, what, head) : TooShort(file.Path, file.Length);
        if (file.Length <= FormatLimits.LfsPointerBytes) LfsPointer.ThrowIfPointer(head, file.Path);

        int length = HeaderLength(head, file.Length, file.Path);
        byte[] json = GC.AllocateUninitializedArray<byte>(length);
        file.Read(8, json);
        return SafetensorsHeader.Parse(json, file.Length, file.Path);
    }

    private static CheckpointFormatException TooShort(string path, long length) => new HeaderErrors(path).Of(
        FormatError.SafetensorsTooShort,
        "a safetensors file needs at least 10 bytes",
        ("size", DisplayText.Bytes(length)));

    private static int HeaderLength(ReadOnlySpan<byte> head, long fileLength, string path)
    {
        // Unsigned until it is bounded: as a signed number the largest lengths would be negative, and adding 8 would wrap.
        ulong declared = BinaryPrimitives.ReadUInt64LittleEndian(head);
        string declaredText = declared.ToString("N0", CultureInfo.InvariantCulture) + " bytes";
        if (declared > FormatLimits.HeaderBytes)
        {
            string? what = FileMagic.DescribeBinary(head) ?? FileMagic.DescribeText(head);
            if (what is not null) throw FileMagic.Error(path, fileLength, what, head);
            throw new HeaderErrors(path).Of(
                FormatError.SafetensorsHeaderTooLong,
                "the declared header length is over the limit",
                ("declared", declaredText),
                ("limit", DisplayText.Bytes(FormatLimits.HeaderBytes)));
        }

        if ((long)declared > fileLength - 8)
        {
            if (FileMagic.DescribeBinary(head) is { } what) throw FileMagic.Error(path, fileLength, what, head);
            throw new HeaderErrors(path).Of(
                FormatError.SafetensorsHeaderPastEnd,
                "the header runs past the end of the file; truncated download?",
                ("declared", declaredText),
                ("present", DisplayText.Bytes(fileLength - 8)));
        }

        if (declared == 0)
        {
            string what = head.ContainsAnyExcept((byte)0)
                ? "the header is empty"
                : "starts with zeros only; a file that was never written?";
            throw new HeaderErrors(path).Of(FormatError.SafetensorsNotJson, what, ("expected", "at least {}"));
        }

        return (int)declared;
    }
}
