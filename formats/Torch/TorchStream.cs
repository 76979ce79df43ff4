using System.Buffers.Binary;
using System.Numerics;
using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Torch;

/// <summary>
/// The stream form of a PyTorch file (0.2 to 1.5, and later on request): five pickles in a row, then each storage as a
/// number of elements and their bytes.
/// </summary>
internal static class TorchStream
{
    private const long Protocol = 1001;
    private static readonly BigInteger Magic = (new BigInteger(0x1950) << 64) | 0xa86a20f9469cfc6c;

    /// <summary>Reads the pickles and finds the storages.</summary>
    /// <returns>The object's pickle as a value, a function that finds a storage, and notes.</returns>
    public static (PickleValue Top, Func<PickleStorage, StoredRange> Find, IReadOnlyList<string> Notes) Read(
        IByteSource source, TorchErrors errors)
    {
        long position = 0;
        PickleValue magic = Next(source, ref position, "the first pickle", errors);
        if (magic.Object is not BigInteger number || number != Magic)
            throw errors.Damaged(FormatError.TorchContainer, "is a pickle, but none that torch.save wrote");
        PickleValue protocol = Next(source, ref position, "the second pickle", errors);
        if (protocol is not { Kind: PickleKind.Integer, Number: Protocol })
            throw errors.Unsupported("has a stream protocol that is not known", ("protocol", protocol.KindText));
        RequireLittleEndian(Next(source, ref position, "the third pickle", errors), errors);

        var storages = new List<PickleStorage>();
        PickleValue top = Next(source, ref position, "the object's pickle", errors, storages);
        PickleValue keys = Next(source, ref position, "the list of storages", errors);
        Dictionary<string, StoredRange> ranges = Locate(source, position, keys, storages, errors);
        return (top, storage => ranges[storage.Key], []);
    }

    private static PickleValue Next(
        IByteSource source, ref long position, string name, TorchErrors errors, List<PickleStorage>? storages = null)
    {
        var pickleErrors = new PickleErrors(errors, name);
        var reader = new PickleReader(source, position, source.Length, pickleErrors);
        PickleValue value = PickleMachine.Run(reader, pickleErrors, storages);
        position += reader.Position;
        return value;
    }

    private static void RequireLittleEndian(PickleValue system, TorchErrors errors)
    {
        if (system.Object is not PickleDict dict)
            throw errors.Damaged(FormatError.TorchContainer, "does not say how the machine that wrote it stores numbers");
        foreach ((PickleValue key, PickleValue value) in dict.Items)
        {
            if (key.Object is "little_endian" && value is not { Kind: PickleKind.Boolean, Number: 1 })
                throw errors.Unsupported("was saved on a big-endian machine");
        }
    }

    private static Dictionary<string, StoredRange> Locate(
        IByteSource source, long position, PickleValue keys, List<PickleStorage> storages, TorchErrors errors)
    {
        Dictionary<string, int> elementBytes = new(StringComparer.Ordinal);
        foreach (PickleStorage storage in storages)
        {
            if (storage.Type.ElementBytes is not { } size)
                throw errors.Unsupported("holds a storage of a type that is not read", ("type", storage.Type.Name));
            // PyTorch takes the first type for the bytes; whatever comes later must be the same.
            if (elementBytes.TryAdd(storage.Key, size) || elementBytes[storage.Key] == size) continue;
            throw errors.Damaged(FormatError.TorchStorage, "one storage has two types", ("storage", DisplayText.Escape(storage.Key)));
        }

        Dictionary<string, StoredRange> ranges = new(StringComparer.Ordinal);
        foreach (PickleValue key in keys.Object as List<PickleValue> ?? [])
        {
            string name = key.Object as string ?? "";
            if (!elementBytes.TryGetValue(name, out int size))
                throw errors.Damaged(FormatError.TorchRecord, "holds a storage that nothing is in", ("storage", DisplayText.Escape(name)));
            StoredRange range = Range(source, position, name, size, errors);
            if (!ranges.TryAdd(name, range))
                throw errors.Damaged(FormatError.TorchStorage, "holds one storage twice", ("storage", DisplayText.Escape(name)));
            position = range.Start + range.Length;
        }

        if (elementBytes.Keys.FirstOrDefault(key => !ranges.ContainsKey(key)) is { } missing)
            throw errors.Damaged(FormatError.TorchRecord, "a storage is missing", ("storage", DisplayText.Escape(missing)));
        if (position == source.Length) return ranges;
        throw errors.Damaged(
            FormatError.TorchContainer,
            "goes on after its last storage",
            ("ends at", TorchErrors.Number(position)),
            ("size", DisplayText.Bytes(source.Length)));
    }

    private static StoredRange Range(IByteSource source, long position, string key, int elementBytes, TorchErrors errors)
    {
        Int128 missing = position + sizeof(long) - (Int128)source.Length;
        long count = 0;
        if (missing <= 0)
        {
            Span<byte> prefix = stackalloc byte[sizeof(long)];
            source.Read(position, prefix);
            count = BinaryPrimitives.ReadInt64LittleEndian(prefix);
            if (count < 0)
                throw errors.Damaged(FormatError.TorchStorage, "a storage has a negative length", ("storage", DisplayText.Escape(key)));
            missing += (Int128)count * elementBytes;
        }

        if (missing <= 0) return new StoredRange(key, position + sizeof(long), count * elementBytes, crc32: null);
        throw errors.Damaged(
            FormatError.TorchTruncated,
            "ends inside of a storage; truncated download?",
            ("storage", DisplayText.Escape(key)),
            ("size", DisplayText.Bytes(source.Length)),
            ("missing", missing > long.MaxValue ? "more than any file has" : DisplayText.Bytes((long)missing)));
    }
}
