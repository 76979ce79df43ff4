using System.Buffers.Binary;
using System.IO.Compression;
using System.Reflection;
using System.Text;

namespace Bnb.Engine.Architectures;

/// <summary>
/// The embedded atlas as a container: an index and blocks of lines, each block compressed on its own, so that a run
/// unpacks the index and the few blocks that hold its classes. Written by the atlas generator, which shares
/// <see cref="Magic"/> and <see cref="ResourceName"/>; not thread-safe.
/// </summary>
internal sealed class AtlasFile
{
    /// <summary>First bytes of the container; the digit is the version of its layout.</summary>
    public const string Magic = "bnbatla1";

    /// <summary>Name of the embedded resource.</summary>
    public const string ResourceName = "Bnb.Engine.Architectures.atlas.bin";

    private readonly byte[] _bytes;
    private readonly (int Start, int Length, int RawLength)[] _blocks;
    private readonly string[]?[] _lines;

    /// <summary>Reads the table of blocks; nothing is unpacked yet.</summary>
    /// <exception cref="InvalidDataException">The bytes are no atlas of this version.</exception>
    public AtlasFile(byte[] bytes)
    {
        _bytes = bytes;
        const int HeaderLength = 12;
        if (bytes.Length < HeaderLength || Encoding.ASCII.GetString(bytes, 0, Magic.Length) != Magic)
            throw new InvalidDataException("the embedded atlas has another version than this program");
        int count = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(Magic.Length));
        _blocks = new (int, int, int)[count];
        int start = HeaderLength + (8 * count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = bytes.AsSpan(HeaderLength + (8 * i), 8);
            int length = BinaryPrimitives.ReadInt32LittleEndian(entry);
            _blocks[i] = (start, length, BinaryPrimitives.ReadInt32LittleEndian(entry[4..]));
            start += length;
        }

        _lines = new string[]?[count];
    }

    /// <summary>Opens the atlas that this assembly carries.</summary>
    public static AtlasFile OpenEmbedded()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(ResourceName)
            ?? throw new InvalidDataException("this program was built without its atlas");
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return new AtlasFile(bytes);
    }

    /// <summary>The lines of a block, unpacked once; block 0 is the index.</summary>
    public IReadOnlyList<string> Lines(int block)
    {
        if (_lines[block] is { } known) return known;
        (int start, int length, int rawLength) = _blocks[block];
        byte[] raw = new byte[rawLength];
        if (!BrotliDecoder.TryDecompress(_bytes.AsSpan(start, length), raw, out int written) || written != rawLength)
            throw new InvalidDataException("the embedded atlas is damaged");
        return _lines[block] = Encoding.UTF8.GetString(raw).Split('\n');
    }
}
