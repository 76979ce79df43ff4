using System.Buffers.Binary;
using System.Text;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Gguf;

/// <summary>Little-endian values from the beginning of a file, each read bounded by the bytes there are.</summary>
internal sealed class ByteReader(string path, byte[] bytes)
{
    private const int LongestText = 1 << 16;

    /// <summary>Bytes read so far.</summary>
    public int Position { get; private set; }

    /// <summary>Bytes left.</summary>
    public int Left => bytes.Length - Position;

    /// <summary>Passes over bytes.</summary>
    public void Skip(long count) => Take(count);

    /// <summary>The next 32 bits.</summary>
    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    /// <summary>The next 32 bits, signed.</summary>
    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    /// <summary>The next 64 bits.</summary>
    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>A 64-bit number of items, at most <paramref name="most"/>.</summary>
    public int Count(int most, string what)
    {
        ulong count = UInt64();
        return count <= (ulong)most ? (int)count : throw Error($"declares too many {what}", ("found", $"{count}"), ("limit", $"{most}"));
    }

    /// <summary>A text with a 64-bit length before it.</summary>
    public string Text() => Text((long)Math.Min(UInt64(), long.MaxValue));

    /// <summary>A text of a known length.</summary>
    public string Text(long length)
    {
        if (length is < 0 or > LongestText) throw Error("has a name that is too long", ("found", $"{length} bytes"), ("limit", $"{LongestText}"));
        return Encoding.UTF8.GetString(Take(length));
    }

    /// <summary>Passes over a text with a 64-bit length before it.</summary>
    public void SkipText() => Skip((long)Math.Min(UInt64(), long.MaxValue));

    /// <summary>The next float32 values.</summary>
    public float[] Singles(int count)
    {
        ReadOnlySpan<byte> source = Take(count * (long)sizeof(float));
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = BinaryPrimitives.ReadSingleLittleEndian(source[(i * sizeof(float))..]);
        return values;
    }

    /// <summary>IMX-LAYOUT at this file.</summary>
    public CheckpointFormatException Error(string what, params (string Label, string Value)[] facts) => new(
        FormatError.ImportanceLayout,
        $"{DisplayText.Escape(Path.GetFileName(path))} {what}",
        path,
        facts: [("at byte", $"{Position}"), .. facts],
        action: "give an importance matrix that llama-imatrix wrote, or a safetensors file of one vector per weight");

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count < 0 || count > Left) throw Error("ends too early", ("needed", $"{count} bytes"), ("left", $"{Left}"));
        ReadOnlySpan<byte> taken = bytes.AsSpan(Position, (int)count);
        Position += (int)count;
        return taken;
    }
}
