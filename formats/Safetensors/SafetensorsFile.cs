using System.Buffers.Binary;
using System.Globalization;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Safetensors;

/// <summary>Takes a tensor's name.</summary>
/// <param name="utf8">The name; its bytes are used again after the call.</param>
public delegate void TensorNameHandler(ReadOnlySpan<byte> utf8);

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
        using PositionedFile file = Open(path);
        return ReadHeader(file);
    }

    /// <summary>
    /// Goes through the names of a header without keeping them, for headers of millions of tensors whose rules were checked when they
    /// were written: nothing but the JSON itself is.
    /// </summary>
    /// <param name="each">Called with every tensor's name as UTF-8, in the order of the header.</param>
    /// <returns>Bytes of the data section.</returns>
    /// <exception cref="CheckpointFormatException">As <see cref="ReadHeader(string)"/>, for what makes no header at all.</exception>
    public static long ReadNames(string path, TensorNameHandler each)
    {
        ArgumentNullException.ThrowIfNull(each);
        using PositionedFile file = Open(path);
        int length = RequireJson(file);
        HeaderNames.Read(file, length, new HeaderErrors(path), each);
        return file.Length - 8 - length;
    }

    /// <summary>As <see cref="ReadHeader(string)"/> for a file that is open, so that header and identity belong
    /// together.</summary>
    public static SafetensorsHeader ReadHeader(PositionedFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return ReadHeader((IByteSource)file);
    }

    /// <inheritdoc cref="ReadHeader(PositionedFile)"/>
    internal static SafetensorsHeader ReadHeader(IByteSource file) => SafetensorsHeader.Parse(ReadJson(file), file.Length, file.Path);

    private static PositionedFile Open(string path)
    {
        // What claims to be a regular file of length 0 may still never end.
        if (FileProbe.RequireRegular(path).Identity.Length == 0) throw TooShort(path, 0);
        return PositionedFile.Open(path);
    }

    private static byte[] ReadJson(IByteSource file)
    {
        byte[] json = GC.AllocateUninitializedArray<byte>(RequireJson(file));
        file.Read(8, json);
        return json;
    }

    /// <summary>The length of the header's JSON, which is bounded and within the file.</summary>
    internal static int RequireJson(IByteSource file)
    {
        Span<byte> head = stackalloc byte[(int)Math.Min(file.Length, FormatLimits.LfsPointerBytes)];
        file.Read(0, head);
        if (file.Length < 8)
            throw FileMagic.DescribeBinary(head) is { } what ? FileMagic.Error(file.Path, file.Length, what, head) : TooShort(file.Path, file.Length);
        if (file.Length <= FormatLimits.LfsPointerBytes) LfsPointer.ThrowIfPointer(head, file.Path);

        return HeaderLength(head, file.Length, file.Path);
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
