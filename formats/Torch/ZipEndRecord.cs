using System.Buffers.Binary;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// Where a zip archive's directory is: the end-of-central-directory record (APPNOTE 6.3, 4.3.16) and, when there is one,
/// its 64-bit form (4.3.14, 4.3.15). Readers that search for the record in different ways see different archives, so only
/// one that ends with the file is taken, and the two forms may not contradict each other.
/// </summary>
/// <param name="Start">First byte of the directory.</param>
/// <param name="Length">Bytes of the directory.</param>
/// <param name="Count">Records in it.</param>
internal readonly record struct ZipEndRecord(long Start, long Length, long Count)
{
    private const uint Signature = 0x06054b50;
    private const uint Signature64 = 0x06064b50;
    private const uint LocatorSignature = 0x07064b50;
    private const int Size = 22;
    private const int Size64 = 56;
    private const int LocatorSize = 20;
    private const int MaxComment = ushort.MaxValue;

    /// <summary>Finds and checks the record.</summary>
    /// <exception cref="CheckpointFormatException">PT-TRUNC or PT-ZIP.</exception>
    public static ZipEndRecord Read(IByteSource source, TorchErrors errors)
    {
        byte[] tail = new byte[(int)Math.Min(source.Length, Size + MaxComment)];
        source.Read(source.Length - tail.Length, tail);
        int at = Find(tail, source, errors);
        ReadOnlySpan<byte> record = tail.AsSpan(at);
        long position = source.Length - tail.Length + at;
        ushort disk = U16(record, 4), directoryDisk = U16(record, 6), countHere = U16(record, 8), count = U16(record, 10);
        uint length = U32(record, 12), start = U32(record, 16);
        if (disk != 0 || directoryDisk != 0 || countHere != count)
            throw errors.Damaged(FormatError.TorchContainer, "is one part of a zip archive in several files");

        var result = new ZipEndRecord(start, length, count);
        if (Read64(source, position, errors) is { } wide)
        {
            bool agrees = (start == uint.MaxValue || start == wide.Record.Start)
                && (length == uint.MaxValue || length == wide.Record.Length)
                && (count == ushort.MaxValue || count == wide.Record.Count);
            if (!agrees) throw errors.Unsafe(FormatError.TorchContainerUnsafe, "the zip archive has two end records that contradict each other");
            (result, position) = wide;
        }

        if (result.Start < 0 || result.Length < 0 || (Int128)result.Start + result.Length != position)
        {
            throw errors.Damaged(
                FormatError.TorchContainer,
                "the zip archive's directory is not where its end record says",
                ("directory", $"{TorchErrors.Number(result.Length)} bytes at {TorchErrors.Number(result.Start)}"),
                ("end record", $"at {TorchErrors.Number(position)}"));
        }

        return result;
    }

    private static int Find(ReadOnlySpan<byte> tail, IByteSource source, TorchErrors errors)
    {
        bool isFollowed = false;
        for (int at = tail.Length - Size; at >= 0; at--)
        {
            if (U32(tail, at) != Signature) continue;
            int rest = tail.Length - at - Size - U16(tail, at + 20);
            if (rest == 0 && tail.Slice(at + 4).IndexOf("PK\u0005\u0006"u8) < 0) return at;
            if (rest == 0) throw errors.Unsafe(FormatError.TorchContainerUnsafe, "the zip archive's comment holds a second end record");
            isFollowed |= rest > 0;
        }

        if (isFollowed)
            throw errors.Damaged(FormatError.TorchContainer, "the file goes on after the end of the zip archive");
        throw errors.Damaged(
            FormatError.TorchTruncated,
            "starts like a zip archive but has no end record; truncated download?",
            ("size", DisplayText.Bytes(source.Length)));
    }

    private static (ZipEndRecord Record, long Position)? Read64(IByteSource source, long endPosition, TorchErrors errors)
    {
        if (endPosition < LocatorSize + Size64) return null;
        Span<byte> locator = stackalloc byte[LocatorSize];
        source.Read(endPosition - LocatorSize, locator);
        if (U32(locator, 0) != LocatorSignature) return null;

        long position = I64(locator, 8);
        bool isInside = U32(locator, 4) == 0 && U32(locator, 16) <= 1
            && position >= 0 && position <= endPosition - LocatorSize - Size64;
        Span<byte> record = stackalloc byte[Size64];
        if (isInside) source.Read(position, record);
        bool isRecord = isInside && U32(record, 0) == Signature64
            && (Int128)position + 12 + BinaryPrimitives.ReadUInt64LittleEndian(record[4..]) == endPosition - LocatorSize
            && U32(record, 16) == 0 && U32(record, 20) == 0 && I64(record, 24) == I64(record, 32);
        if (!isRecord) throw errors.Damaged(FormatError.TorchContainer, "the zip archive's 64-bit end record is damaged");
        return (new ZipEndRecord(I64(record, 48), I64(record, 40), I64(record, 32)), position);
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}
