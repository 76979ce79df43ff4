using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Bnb.AtlasGenerator;

/// <summary>
/// Writes the container: the text <c>bnbatla1</c>, the number of blocks, the packed and unpacked length of each (all 32-bit,
/// little endian), then the blocks, each Brotli data of lines that end with <c>\n</c> but for the last. Block 0 is the index,
/// a line for each class: section, name, model type, block and line, between tabs.
/// </summary>
internal static class AtlasWriter
{
    // A run unpacks whole blocks; much larger ones would take longer than the classes in them are worth.
    private const int BlockLength = 64 << 10;
    private const int Window = 18;
    private const int BestQuality = 11;

    public static byte[] Write(IEnumerable<AtlasLine> lines)
    {
        List<List<string>> blocks = [[]];
        List<string> index = [];
        int length = 0;
        // Classes of one model type are alike and asked for together, so they lie together.
        foreach (AtlasLine line in lines
            .OrderBy(static line => line.Section, StringComparer.Ordinal)
            .ThenBy(static line => line.ModelType, StringComparer.Ordinal)
            .ThenBy(static line => line.Name, StringComparer.Ordinal))
        {
            if (length > BlockLength)
            {
                blocks.Add([]);
                length = 0;
            }

            index.Add($"{line.Section}\t{line.Name}\t{line.ModelType}\t{blocks.Count}\t{blocks[^1].Count}");
            blocks[^1].Add(line.Json);
            length += line.Json.Length;
        }

        return Pack([index, .. blocks]);
    }

    private static byte[] Pack(IReadOnlyList<List<string>> blocks)
    {
        var output = new MemoryStream();
        output.Write("bnbatla1"u8);
        WriteNumber(output, blocks.Count);
        List<byte[]> packed = [];
        foreach (List<string> block in blocks)
        {
            byte[] raw = Encoding.UTF8.GetBytes(string.Join('\n', block));
            byte[] small = new byte[BrotliEncoder.GetMaxCompressedLength(raw.Length)];
            if (!BrotliEncoder.TryCompress(raw, small, out int length, BestQuality, Window))
                throw new InvalidOperationException("a block cannot be compressed");
            packed.Add(small[..length]);
            WriteNumber(output, length);
            WriteNumber(output, raw.Length);
        }

        foreach (byte[] block in packed) output.Write(block);
        return output.ToArray();
    }

    private static void WriteNumber(Stream output, int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        output.Write(bytes);
    }
}
