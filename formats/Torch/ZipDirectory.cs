using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// The directory of a PyTorch archive: every record stored as it is, below one top folder, none over another, and each
/// local header saying what the directory says. Stricter than PyTorch's own reader, which looks at the directory alone:
/// whatever two readers could understand differently is how a scanner is made to look at another file than the loader.
/// </summary>
internal sealed class ZipDirectory
{
    private const uint EntrySignature = 0x02014b50;
    private const int EntrySize = 46;
    private const uint LocalSignature = 0x04034b50;
    private const int LocalSize = 30;
    private const ushort Encrypted = 0x2041;
    private const ushort SizesFollow = 0x0008;

    private readonly Dictionary<string, ZipRecord> _records;

    private ZipDirectory(Dictionary<string, ZipRecord> records) => _records = records;

    /// <summary>The names of all records below the top folder, in no order.</summary>
    public IEnumerable<string> Names => _records.Keys;

    /// <summary>Reads and checks directory and local headers; the records themselves are not read.</summary>
    /// <exception cref="CheckpointFormatException">A rule is broken; the error has a PT code.</exception>
    public static ZipDirectory Read(IByteSource source, TorchErrors errors)
    {
        ZipEndRecord end = ZipEndRecord.Read(source, errors);
        if (end.Length > FormatLimits.ZipDirectoryBytes || end.Count > end.Length / EntrySize)
        {
            throw errors.Damaged(
                FormatError.TorchContainer,
                "the zip archive's directory cannot be that of a checkpoint",
                ("directory", DisplayText.Bytes(end.Length)),
                ("records", TorchErrors.Number(end.Count)),
                ("limit", DisplayText.Bytes(FormatLimits.ZipDirectoryBytes)));
        }

        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)end.Length);
        source.Read(end.Start, bytes);
        List<Entry> entries = Entries(bytes, (int)end.Count, errors);
        string root = Root(entries, errors);
        Dictionary<string, ZipRecord> records = new(entries.Count, StringComparer.Ordinal);
        foreach (Entry entry in entries)
        {
            string name = entry.Name[root.Length..];
            ZipRecord record = Locate(source, entry, name, end.Start, errors);
            if (records.TryAdd(name, record)) continue;
            throw errors.Unsafe(
                FormatError.TorchContainerUnsafe,
                "two records of the zip archive have one name, and which one counts depends on the reader",
                ("record", DisplayText.Escape(entry.Name)));
        }

        RequireApart(entries, records, root, errors);
        return new ZipDirectory(records);
    }

    /// <summary>The record of this name below the top folder, or null.</summary>
    public ZipRecord? Find(string name) => _records.TryGetValue(name, out ZipRecord record) ? record : null;

    private static List<Entry> Entries(ReadOnlySpan<byte> bytes, int count, TorchErrors errors)
    {
        List<Entry> entries = new(count);
        while (entries.Count < count && bytes.Length >= EntrySize)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(bytes) != EntrySignature) break;
            ushort flags = U16(bytes, 8), method = U16(bytes, 10);
            int nameLength = U16(bytes, 28), extraLength = U16(bytes, 30), commentLength = U16(bytes, 32);
            int size = EntrySize + nameLength + extraLength + commentLength;
            if (size > bytes.Length) break;
            ReadOnlySpan<byte> name = bytes.Slice(EntrySize, nameLength);
            if (!Utf8.IsValid(name))
                throw errors.Damaged(FormatError.TorchContainer, "a record's name is not UTF-8", ("record", DisplayText.Escape(name, 80)));

            var entry = new Entry(
                Encoding.UTF8.GetString(name), flags, method, U32(bytes, 16), U32(bytes, 20), U32(bytes, 24), U32(bytes, 42));
            entry = entry.Widened(bytes.Slice(EntrySize + nameLength, extraLength)) ?? throw errors.Damaged(
                FormatError.TorchContainer, "a record's 64-bit sizes are missing", ("record", DisplayText.Escape(entry.Name)));
            Require(entry, U16(bytes, 34), errors);
            entries.Add(entry);
            bytes = bytes[size..];
        }

        if (entries.Count == count && bytes.Length == 0) return entries;
        throw errors.Damaged(
            FormatError.TorchContainer,
            "the zip archive's directory is damaged",
            ("records read", TorchErrors.Number(entries.Count)),
            ("expected", TorchErrors.Number(count)));
    }

    private static void Require(Entry entry, ushort disk, TorchErrors errors)
    {
        string shown = DisplayText.Escape(entry.Name);
        if ((entry.Flags & Encrypted) != 0)
            throw errors.Unsafe(FormatError.TorchContainerUnsafe, "a record is marked as encrypted", ("record", shown));
        if (disk != 0)
            throw errors.Damaged(FormatError.TorchContainer, "is one part of a zip archive in several files", ("record", shown));
        if (entry.Method != 0) throw Compressed(entry, errors);
        if (entry.Stored == entry.Length) return;
        throw errors.Damaged(
            FormatError.TorchContainer,
            "a record that is not compressed has two different lengths",
            ("record", shown),
            ("stored", DisplayText.Bytes(entry.Stored)),
            ("length", DisplayText.Bytes(entry.Length)));
    }

    private static CheckpointFormatException Compressed(Entry entry, TorchErrors errors)
    {
        (string, string)[] facts =
        [
            ("record", DisplayText.Escape(entry.Name)),
            ("method", TorchErrors.Number(entry.Method)),
            ("compressed", DisplayText.Bytes(entry.Stored)),
            ("expanded", DisplayText.Bytes(entry.Length)),
        ];
        bool isBomb = entry.Length > FormatLimits.TorchExpansionFloor && entry.Length / FormatLimits.TorchExpansion > entry.Stored;
        return isBomb
            ? errors.Unsafe(
                FormatError.TorchBomb,
                "a record would expand without measure",
                [.. facts, ("limit", $"{FormatLimits.TorchExpansion} times")])
            : errors.Damaged(FormatError.TorchCompressed, "a record is compressed; torch.save stores weights as they are", facts);
    }

    /// <summary>The one top folder of all records, with its slash.</summary>
    private static string Root(List<Entry> entries, TorchErrors errors)
    {
        if (entries.Count == 0) throw errors.Damaged(FormatError.TorchRecord, "is a zip archive without records");
        string root = entries[0].Name[..(entries[0].Name.IndexOf('/', StringComparison.Ordinal) + 1)];
        foreach (Entry entry in entries)
        {
            if (root.Length > 1 && entry.Name.StartsWith(root, StringComparison.Ordinal)) continue;
            throw errors.Damaged(
                FormatError.TorchContainer,
                "the records are not in one top folder, as torch.save writes them",
                ("record", DisplayText.Escape(entry.Name)),
                ("first record", DisplayText.Escape(entries[0].Name)));
        }

        return root;
    }

    /// <summary>The bytes of a record; its place is known only from its local header, whose padding has any length.</summary>
    private static ZipRecord Locate(IByteSource source, Entry entry, string name, long directoryStart, TorchErrors errors)
    {
        string shown = DisplayText.Escape(entry.Name);
        byte[] expected = Encoding.UTF8.GetBytes(entry.Name);
        if (entry.Offset < 0 || entry.Offset > directoryStart - LocalSize - expected.Length)
        {
            throw errors.Damaged(
                FormatError.TorchContainer,
                "a record starts outside of the file's records",
                ("record", shown),
                ("offset", TorchErrors.Number(entry.Offset)));
        }

        byte[] local = new byte[LocalSize + expected.Length];
        source.Read(entry.Offset, local);
        if (BinaryPrimitives.ReadUInt32LittleEndian(local) != LocalSignature)
        {
            throw errors.Damaged(
                FormatError.TorchContainer,
                "there is no record where the directory says",
                ("record", shown),
                ("offset", TorchErrors.Number(entry.Offset)));
        }

        if (U16(local, 26) != expected.Length || !local.AsSpan(LocalSize).SequenceEqual(expected) || !Agrees(local, entry))
        {
            throw errors.Unsafe(
                FormatError.TorchContainerUnsafe,
                "a record's own header says something else than the directory",
                ("record", shown),
                ("in its header", DisplayText.Escape(local.AsSpan(LocalSize), 80)));
        }

        long start = entry.Offset + LocalSize + expected.Length + U16(local, 28);
        if (entry.Length >= 0 && entry.Length <= directoryStart - start) return new ZipRecord(name, start, entry.Length, entry.Crc32);
        throw Overlong(entry, name, start, directoryStart, errors);
    }

    private static bool Agrees(ReadOnlySpan<byte> local, Entry entry)
    {
        ushort flags = U16(local, 6);
        if ((flags & Encrypted) != 0 || U16(local, 8) != entry.Method) return false;
        if ((flags & SizesFollow) != 0) return true;
        uint stored = U32(local, 18), length = U32(local, 22);
        return (stored == uint.MaxValue || stored == entry.Stored) && (length == uint.MaxValue || length == entry.Length);
    }

    private static void RequireApart(
        List<Entry> entries, Dictionary<string, ZipRecord> records, string root, TorchErrors errors)
    {
        long end = 0;
        Entry? before = null;
        foreach (Entry entry in entries.OrderBy(entry => entry.Offset))
        {
            // Bytes in front of the first record are where another file could hide.
            if (before is null && entry.Offset != 0)
                throw errors.Damaged(FormatError.TorchContainer, "the zip archive does not start with the file");
            ZipRecord record = records[entry.Name[root.Length..]];
            if (entry.Offset < end) throw Overlong(before!, before!.Name[root.Length..], end - before.Length, entry.Offset, errors);
            end = record.Start + record.Length;
            before = entry;
        }
    }

    private static CheckpointFormatException Overlong(Entry entry, string name, long start, long next, TorchErrors errors) =>
        errors.Damaged(
            name.StartsWith("data/", StringComparison.Ordinal) ? FormatError.TorchStorage : FormatError.TorchContainer,
            "a record runs into what comes after it",
            ("record", DisplayText.Escape(entry.Name)),
            ("length", DisplayText.Bytes(entry.Length)),
            ("room", DisplayText.Bytes(Math.Max(0, next - start))));

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private sealed record Entry(
        string Name, ushort Flags, ushort Method, uint Crc32, long Stored, long Length, long Offset)
    {
        private const ushort Zip64 = 1;

        /// <summary>With the sizes from the 64-bit extra field (4.5.3) where the 32-bit ones are full; null when it is
        /// missing.</summary>
        public Entry? Widened(ReadOnlySpan<byte> extra)
        {
            bool stored = Stored == uint.MaxValue, length = Length == uint.MaxValue, offset = Offset == uint.MaxValue;
            if (!stored && !length && !offset) return this;
            while (extra.Length >= 4)
            {
                ushort kind = U16(extra, 0), size = U16(extra, 2);
                extra = extra[4..];
                if (size > extra.Length) return null;
                if (kind != Zip64)
                {
                    extra = extra[size..];
                    continue;
                }

                ReadOnlySpan<byte> field = extra[..size];
                int needed = sizeof(long) * ((length ? 1 : 0) + (stored ? 1 : 0) + (offset ? 1 : 0));
                if (size < needed) return null;
                Entry wide = this with { Length = Take(ref field, length, Length) };
                wide = wide with { Stored = Take(ref field, stored, Stored) };
                return wide with { Offset = Take(ref field, offset, Offset) };
            }

            return null;
        }

        private static long Take(ref ReadOnlySpan<byte> field, bool isHere, long otherwise)
        {
            if (!isHere) return otherwise;
            long value = BinaryPrimitives.ReadInt64LittleEndian(field);
            field = field[sizeof(long)..];
            return value;
        }
    }
}
