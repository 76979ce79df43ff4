using System.Globalization;
using System.Text;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>The zip form of a PyTorch file (1.6 and later): <c>data.pkl</c> beside one record per storage.</summary>
internal static class TorchArchive
{
    private const string Pickle = "data.pkl";

    // torch/csrc: kMinSupportedFileFormatVersion and kMaxSupportedFileFormatVersion.
    private const int FirstVersion = 1;
    private const int LastVersion = 10;

    /// <summary>Reads directory, version, byte order and pickle.</summary>
    /// <returns>The pickle's value, a function that finds a storage, and notes.</returns>
    public static (PickleValue Top, Func<PickleStorage, StoredRange> Find, IReadOnlyList<string> Notes) Read(
        IByteSource source, TorchErrors errors)
    {
        ZipDirectory directory = ZipDirectory.Read(source, errors);
        RequireKind(directory, source, errors);
        ZipRecord record = directory.Find(Pickle)
            ?? throw errors.Damaged(FormatError.TorchRecord, "a record is missing", ("record", Pickle));
        if (record.Length > FormatLimits.PickleBytes)
        {
            throw errors.Damaged(
                FormatError.PickleMalformed,
                $"{Pickle} is longer than that of any checkpoint",
                ("length", DisplayText.Bytes(record.Length)),
                ("limit", DisplayText.Bytes(FormatLimits.PickleBytes)));
        }

        ChecksummedRange.Require(source, Range(record), errors);
        var pickleErrors = new PickleErrors(errors, Pickle);
        var reader = new PickleReader(source, record.Start, record.Start + record.Length, pickleErrors);
        PickleValue top = PickleMachine.Run(reader, pickleErrors);
        if (reader.Left > 0)
            throw pickleErrors.Malformed(reader.Position, "goes on after its end", ("left", DisplayText.Bytes(reader.Left)));

        List<string> notes = [];
        if (record is { Crc32: 0, Length: > 0 }) notes.Add($"{FileProbe.ShortName(source.Path)} has no checksums");
        return (top, storage => Find(directory, storage, errors), notes);
    }

    private static void RequireKind(ZipDirectory directory, IByteSource source, TorchErrors errors)
    {
        bool isScript = directory.Find("constants.pkl") is not null
            || directory.Names.Any(name => name.StartsWith("code/", StringComparison.Ordinal));
        if (isScript) throw errors.Unsupported("is a TorchScript program, not a state dict");
        string version = Text(directory, "version", source, errors)
            ?? throw errors.Damaged(FormatError.TorchRecord, "a record is missing", ("record", "version"));
        if (!int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number is < FirstVersion or > LastVersion)
            throw errors.Unsupported("has a format version that is not known", ("version", DisplayText.Escape(version)));

        switch (Text(directory, "byteorder", source, errors))
        {
            // PyTorch before 2.1 did not write it, and ran on nothing else.
            case null or "little":
                return;
            case "big":
                throw errors.Unsupported("was saved on a big-endian machine");
            case var other:
                throw errors.Damaged(FormatError.TorchByteOrder, "has a byte order that does not exist", ("byteorder", DisplayText.Escape(other)));
        }
    }

    /// <summary>A record of a few characters, or null when it is not there.</summary>
    private static string? Text(ZipDirectory directory, string name, IByteSource source, TorchErrors errors)
    {
        if (directory.Find(name) is not { } record) return null;
        Span<byte> bytes = stackalloc byte[16];
        // What does not fit is no answer that is known; a few bytes of it are enough for the message.
        bytes = bytes[..(int)Math.Min(bytes.Length, record.Length)];
        source.Read(record.Start, bytes);
        if (bytes.Length == record.Length) ChecksummedRange.Require(source, Range(record), errors);
        return Encoding.Latin1.GetString(bytes).TrimEnd('\n');
    }

    private static StoredRange Find(ZipDirectory directory, PickleStorage storage, TorchErrors errors)
    {
        string name = "data/" + storage.Key;
        return directory.Find(name) is { } record
            ? Range(record)
            : throw errors.Damaged(FormatError.TorchRecord, "a storage's record is missing", ("record", DisplayText.Escape(name)));
    }

    // torch.serialization.set_crc32_options(False) leaves 0 where the checksum would be.
    private static StoredRange Range(ZipRecord record) =>
        new(record.Name, record.Start, record.Length, record.Crc32 == 0 ? null : record.Crc32);
}
