using Bnb.Formats.IO;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Gguf;

/// <summary>
/// Names and places of the tensors of a GGUF file, version 2 and 3, little-endian. Source: ggml docs/gguf.md. Keys and values
/// are passed over but for <c>general.type</c> and <c>general.alignment</c>.
/// </summary>
internal sealed class GgufHeader
{
    private const int MostHeaderBytes = 64 << 20;
    private const int MostItems = 1 << 20;
    private const int MostDimensions = 8;

    private GgufHeader(IReadOnlyList<GgufTensor> tensors, string? type) => (Tensors, Type) = (tensors, type);

    /// <summary>In file order.</summary>
    public IReadOnlyList<GgufTensor> Tensors { get; }

    /// <summary>The value of <c>general.type</c>: <c>imatrix</c> for an importance matrix; null when it is not said.</summary>
    public string? Type { get; }

    /// <summary>Whether a file starts as a GGUF one does.</summary>
    public static bool IsGguf(ReadOnlySpan<byte> head) => head.StartsWith("GGUF"u8);

    /// <summary>Reads and checks a header; every tensor lies inside the file, and float32 ones together are no larger than it.</summary>
    /// <exception cref="CheckpointFormatException">IMX-LAYOUT: the header breaks its format or runs past the file.</exception>
    public static GgufHeader Read(IByteSource file)
    {
        byte[] head = new byte[(int)Math.Min(file.Length, MostHeaderBytes)];
        file.Read(0, head);
        var reader = new ByteReader(file.Path, head);
        reader.Skip(4);
        uint version = reader.UInt32();
        if (version is not (2 or 3)) throw reader.Error("is a GGUF file of a version that is not read", ("found", $"version {version}"), ("expected", "2 or 3"));
        int tensorCount = reader.Count(MostItems, "tensors"), pairCount = reader.Count(MostItems, "keys");
        long alignment = 32;
        string? type = null;
        for (int i = 0; i < pairCount; i++)
        {
            string key = reader.Text();
            uint valueType = reader.UInt32();
            if (key == "general.alignment" && valueType == 4) alignment = reader.UInt32();
            else if (key == "general.type" && valueType == 8) type = reader.Text();
            else SkipValue(reader, valueType, depth: 0);
        }

        if (alignment is < 1 or > 1 << 20) throw reader.Error("has an alignment that cannot be", ("found", $"{alignment}"));
        var tensors = new List<GgufTensor>(Math.Min(tensorCount, 4096));
        for (int i = 0; i < tensorCount; i++) tensors.Add(ReadTensor(reader));
        long dataStart = (reader.Position + alignment - 1) / alignment * alignment;
        List<GgufTensor> placed = [.. tensors.Select(tensor => Placed(tensor, dataStart, file.Length, reader))];
        // Tensors that share bytes could be many times the file.
        long left = file.Length;
        foreach (GgufTensor tensor in placed.Where(static tensor => tensor.Type == GgufTensor.Float32))
        {
            left -= tensor.ElementCount * sizeof(float);
            if (left < 0) throw reader.Error("has tensors that overlap", ("tensor", DisplayText.Escape(tensor.Name)), ("file", DisplayText.Bytes(file.Length)));
        }

        return new GgufHeader(placed, type);
    }

    private static GgufTensor ReadTensor(ByteReader reader)
    {
        string name = reader.Text();
        uint rank = reader.UInt32();
        if (rank > MostDimensions) throw reader.Error("has a tensor of too many dimensions", ("tensor", DisplayText.Escape(name)), ("found", $"{rank}"));
        var dimensions = new long[rank];
        long product = 1;
        for (int i = 0; i < rank; i++)
        {
            ulong dimension = reader.UInt64();
            // Bounds every product below, so that none can overflow.
            if (dimension > 1L << 40 || (dimension > 0 && product > (1L << 40) / (long)dimension))
                throw reader.Error("has a tensor that no file can hold", ("tensor", DisplayText.Escape(name)));
            dimensions[i] = (long)dimension;
            product *= dimensions[i];
        }

        uint type = reader.UInt32();
        ulong offset = reader.UInt64();
        if (offset > long.MaxValue / 2) throw reader.Error("has a tensor beyond its end", ("tensor", DisplayText.Escape(name)));
        return new GgufTensor(name, dimensions, type, (long)offset);
    }

    private static GgufTensor Placed(GgufTensor tensor, long dataStart, long fileLength, ByteReader reader)
    {
        long start = dataStart + tensor.Offset;
        long bytes = tensor.Type == GgufTensor.Float32 ? tensor.ElementCount * sizeof(float) : 0;
        if (start > fileLength || bytes > fileLength - start)
        {
            throw reader.Error(
                "ends before one of its tensors does", ("tensor", DisplayText.Escape(tensor.Name)),
                ("found", DisplayText.Bytes(fileLength)), ("expected", $"{start + bytes} bytes or more"));
        }

        return tensor with { Offset = start };
    }

    private static void SkipValue(ByteReader reader, uint type, int depth)
    {
        if (type == 8)
        {
            reader.SkipText();
        }
        else if (type == 9)
        {
            uint elementType = reader.UInt32();
            if (elementType == 9 && depth > 0) throw reader.Error("nests lists of lists");
            ulong count = reader.UInt64();
            if (elementType is 8 or 9)
            {
                // Every item takes bytes, so the header's end bounds this.
                for (ulong i = 0; i < count; i++) SkipValue(reader, elementType, depth + 1);
            }
            else
            {
                long size = SizeOf(reader, elementType);
                if (count > (ulong)(MostHeaderBytes / size)) throw reader.Error("has a list that runs past its header");
                reader.Skip((long)count * size);
            }
        }
        else
        {
            reader.Skip(SizeOf(reader, type));
        }
    }

    private static long SizeOf(ByteReader reader, uint type) => type switch
    {
        0 or 1 or 7 => 1,
        2 or 3 => 2,
        4 or 5 or 6 => 4,
        10 or 11 or 12 => 8,
        _ => throw reader.Error("has a value of an unknown type", ("found", $"{type}")),
    };
}
