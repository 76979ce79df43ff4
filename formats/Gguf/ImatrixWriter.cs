using System.Buffers.Binary;
using System.Text;

namespace Bnb.Formats.Gguf;

/// <summary>
/// Writes an importance matrix as llama.cpp's <c>llama-imatrix</c> does (tools/imatrix/imatrix.cpp): GGUF version 3 with, for
/// each weight in order of names, <c>NAME.in_sum2</c> F32 [channels, matrices] and <c>NAME.counts</c> F32 [1, matrices].
/// </summary>
public static class ImatrixWriter
{
    private const uint Version = 3, TypeUInt32 = 4, TypeString = 8, TypeArray = 9, TensorF32 = 0;
    private const int Alignment = 32;

    /// <summary>The whole file. The same arguments give the same bytes.</summary>
    /// <param name="datasets">What was read, for <c>imatrix.datasets</c>.</param>
    /// <param name="chunks">Contexts, for <c>imatrix.chunk_count</c>.</param>
    /// <param name="chunkSize">Tokens of a context, for <c>imatrix.chunk_size</c>.</param>
    /// <exception cref="ArgumentException">An entry's arrays do not fit its channels, or a name repeats.</exception>
    public static byte[] Write(IReadOnlyList<ImatrixEntry> entries, IReadOnlyList<string> datasets, int chunks, int chunkSize)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(datasets);
        ImatrixEntry[] sorted = [.. entries.OrderBy(entry => entry.Name, StringComparer.Ordinal)];
        for (int i = 0; i < sorted.Length; i++)
        {
            if (sorted[i].Counts.Length == 0 || sorted[i].Sums.Length != (long)sorted[i].Channels * sorted[i].Counts.Length)
                throw new ArgumentException($"{sorted[i].Name} has {sorted[i].Sums.Length} sums for {sorted[i].Counts.Length} matrices of {sorted[i].Channels} channels", nameof(entries));
            if (i > 0 && sorted[i].Name == sorted[i - 1].Name) throw new ArgumentException($"name used twice: {sorted[i].Name}", nameof(entries));
        }

        using var file = new MemoryStream();
        file.Write("GGUF"u8);
        UInt32(file, Version);
        UInt64(file, 2UL * (ulong)sorted.Length);
        UInt64(file, 4);
        Text(file, "general.type");
        UInt32(file, TypeString);
        Text(file, "imatrix");
        Text(file, "imatrix.datasets");
        UInt32(file, TypeArray);
        UInt32(file, TypeString);
        UInt64(file, (ulong)datasets.Count);
        foreach (string dataset in datasets) Text(file, dataset);
        Text(file, "imatrix.chunk_count");
        UInt32(file, TypeUInt32);
        UInt32(file, (uint)chunks);
        Text(file, "imatrix.chunk_size");
        UInt32(file, TypeUInt32);
        UInt32(file, (uint)chunkSize);

        ulong offset = 0;
        foreach (ImatrixEntry entry in sorted)
        {
            Describe(entry.Name + ".in_sum2", entry.Channels, entry.Counts.Length, entry.Sums.Length);
            Describe(entry.Name + ".counts", 1, entry.Counts.Length, entry.Counts.Length);
        }

        Pad(file);
        foreach (ImatrixEntry entry in sorted)
        {
            Values(file, entry.Sums);
            Values(file, entry.Counts);
        }

        return file.ToArray();

        void Describe(string name, int inner, int outer, int values)
        {
            Text(file, name);
            UInt32(file, 2);
            UInt64(file, (ulong)inner);
            UInt64(file, (ulong)outer);
            UInt32(file, TensorF32);
            UInt64(file, offset);
            offset = (offset + ((ulong)values * sizeof(float)) + Alignment - 1) / Alignment * Alignment;
        }
    }

    private static void Values(MemoryStream file, float[] values)
    {
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        foreach (float value in values)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
            file.Write(bytes);
        }

        Pad(file);
    }

    private static void Pad(MemoryStream file)
    {
        while (file.Position % Alignment != 0) file.WriteByte(0);
    }

    private static void Text(MemoryStream file, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        UInt64(file, (ulong)utf8.Length);
        file.Write(utf8);
    }

    private static void UInt32(MemoryStream file, uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        file.Write(bytes);
    }

    private static void UInt64(MemoryStream file, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        file.Write(bytes);
    }
}
