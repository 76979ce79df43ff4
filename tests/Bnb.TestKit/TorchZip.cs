using System.Text;

namespace Bnb.TestKit;

/// <summary>Writes PyTorch's zip form for tests. Knows nothing of the product's reader.</summary>
public static class TorchZip
{
    /// <summary>Bytes of the storage of <see cref="TorchPickle.Basic"/>: 12 float32 that tell their position.</summary>
    public static byte[] TwelveFloats { get; } = [.. Enumerable.Range(0, 12).SelectMany(i => BitConverter.GetBytes((i * 1.5f) - 4))];

    /// <summary>The records of a file with this pickle and these storages, under the names that torch.save gives them.</summary>
    public static List<TorchRecord> Records(byte[] pickle, params ReadOnlySpan<byte[]> storages)
    {
        List<TorchRecord> records = [new("archive/data.pkl", pickle), new("archive/byteorder", "little"u8.ToArray())];
        for (int i = 0; i < storages.Length; i++) records.Add(new($"archive/data/{i}", storages[i]));
        records.Add(new("archive/version", "3\n"u8.ToArray()));
        return records;
    }

    /// <summary>The records of the basic state dict.</summary>
    public static List<TorchRecord> Basic() => Records(TorchPickle.Basic(), TwelveFloats);

    /// <summary>A file with this pickle over the basic storage.</summary>
    public static byte[] Write(byte[] pickle) => Write(Records(pickle, TwelveFloats));

    /// <summary>A file of these records in this order.</summary>
    /// <param name="records">What it holds.</param>
    /// <param name="isNative">
    /// True for the layout of torch.save: an "FB" field in local headers that aligns data to 64 bytes, sizes behind the
    /// data and in the directory only, and 64-bit end records.
    /// </param>
    public static byte[] Write(IReadOnlyList<TorchRecord> records, bool isNative = false)
    {
        List<byte> file = [];
        List<byte> directory = [];
        foreach (TorchRecord record in records)
        {
            TorchRecord item = isNative ? record with { Flags = 0x0808 } : record;
            uint crc = item.Crc ?? Crc(item.Data), offset = item.Offset ?? (uint)file.Count;
            uint length = item.Length ?? (uint)item.Data.Length, stored = item.Stored ?? length;
            Local(file, item, crc, stored, length, isNative);
            file.AddRange(item.Data);
            if (isNative) Append(file, "PK\u0007\u0008"u8, crc, stored, length);
            Central(directory, item, crc, stored, length, offset);
        }

        uint start = (uint)file.Count;
        file.AddRange(directory);
        End(file, (ushort)records.Count, (uint)directory.Count, start, isNative);
        return [.. file];
    }

    /// <summary>The checksum of zip archives, bit by bit.</summary>
    public static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0xedb88320);
        }

        return ~crc;
    }

    private static void Local(List<byte> file, TorchRecord item, uint crc, uint stored, uint length, bool isNative)
    {
        byte[] name = Encoding.UTF8.GetBytes(item.LocalName ?? item.Name);
        length = item.LocalLength ?? length;
        bool follows = (item.Flags & 8) != 0;
        byte[] extra = [];
        if (isNative)
        {
            int padding = (64 - ((file.Count + 30 + name.Length + 4) % 64)) % 64;
            extra = [(byte)'F', (byte)'B', (byte)padding, 0, .. Enumerable.Repeat((byte)'Z', padding)];
        }
        else if (item.IsZip64)
        {
            extra = [1, 0, 16, 0, .. BitConverter.GetBytes((ulong)length), .. BitConverter.GetBytes((ulong)stored)];
        }

        Append(file, "PK\u0003\u0004"u8);
        Append(file, (ushort)20, item.Flags, item.Method, (ushort)0, (ushort)0);
        if (item.IsZip64) stored = length = uint.MaxValue;
        Append(file, [], follows ? 0 : crc, follows ? 0 : stored, follows ? 0 : length);
        Append(file, (ushort)name.Length, (ushort)extra.Length);
        file.AddRange(name);
        file.AddRange(extra);
    }

    private static void Central(List<byte> directory, TorchRecord item, uint crc, uint stored, uint length, uint offset)
    {
        byte[] name = Encoding.UTF8.GetBytes(item.Name);
        byte[] extra = !item.IsZip64 ? [] :
        [
            1, 0, 24, 0, .. BitConverter.GetBytes((ulong)length), .. BitConverter.GetBytes((ulong)stored), .. BitConverter.GetBytes((ulong)offset),
        ];
        if (item.IsZip64) stored = length = offset = uint.MaxValue;
        Append(directory, "PK\u0001\u0002"u8);
        Append(directory, (ushort)0, (ushort)20, item.Flags, item.Method, (ushort)0, (ushort)0);
        Append(directory, [], crc, stored, length);
        Append(directory, (ushort)name.Length, (ushort)extra.Length, (ushort)0, (ushort)0, (ushort)0);
        Append(directory, [], 0u, offset);
        directory.AddRange(name);
        directory.AddRange(extra);
    }

    private static void End(List<byte> file, ushort count, uint length, uint start, bool isNative)
    {
        if (isNative)
        {
            ulong at = (ulong)file.Count;
            Append(file, "PK\u0006\u0006"u8);
            file.AddRange(BitConverter.GetBytes(44ul));
            Append(file, (ushort)0x031e, (ushort)45);
            Append(file, [], 0u, 0u);
            foreach (ulong value in (ulong[])[count, count, length, start]) file.AddRange(BitConverter.GetBytes(value));
            Append(file, "PK\u0006\u0007"u8, 0u);
            file.AddRange(BitConverter.GetBytes(at));
            Append(file, [], 1u);
        }

        Append(file, "PK\u0005\u0006"u8);
        Append(file, (ushort)0, (ushort)0, count, count);
        Append(file, [], length, start);
        Append(file, (ushort)0);
    }

    private static void Append(List<byte> to, params ReadOnlySpan<ushort> values)
    {
        foreach (ushort value in values) to.AddRange(BitConverter.GetBytes(value));
    }

    private static void Append(List<byte> to, ReadOnlySpan<byte> signature, params ReadOnlySpan<uint> values)
    {
        to.AddRange(signature);
        foreach (uint value in values) to.AddRange(BitConverter.GetBytes(value));
    }
}
