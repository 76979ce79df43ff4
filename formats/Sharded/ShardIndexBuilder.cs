using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Bnb.Formats.Json;

namespace Bnb.Formats.Sharded;

/// <summary>
/// Collects an index and writes it as the transformers library does: Python's <c>json.dumps(indent=2, sort_keys=True)</c> and
/// a newline. For indexes of millions of tensors: a name that follows another in order takes about twenty bytes.
/// </summary>
public sealed class ShardIndexBuilder
{
    private const int LongestName = 1 << 20, BufferBytes = 1 << 16;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly NameRuns _names = new();
    private readonly List<string> _shards = [];

    /// <summary>Bytes that <see cref="WriteTo"/> writes for one tensor.</summary>
    /// <param name="tensor">Its name.</param>
    /// <param name="shard">The name of its file.</param>
    public static long EntryLength(ReadOnlySpan<char> tensor, ReadOnlySpan<char> shard) =>
        ",\n    ".Length + PythonJson.TextLength(tensor) + ": ".Length + PythonJson.TextLength(shard);

    /// <summary>Bytes that it writes besides the tensors, or a few more.</summary>
    /// <param name="totalSize">Bytes of all tensors.</param>
    public static long OtherLength(long totalSize) => Head(totalSize).Length + "\n  }\n}\n".Length;

    /// <summary>Adds a tensor, in any order; a name twice is the caller's mistake and is written twice.</summary>
    /// <param name="tensor">Its name.</param>
    /// <param name="shard">The name of its file.</param>
    /// <exception cref="ArgumentException">The name is not valid UTF-16, or longer than a mebibyte.</exception>
    public void Add(string tensor, string shard)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Add(StrictUtf8.GetBytes(tensor), shard);
    }

    /// <summary>The same of a name that is UTF-8 already.</summary>
    /// <exception cref="ArgumentException">It is not valid UTF-8, or longer than a mebibyte.</exception>
    public void Add(ReadOnlySpan<byte> tensor, string shard)
    {
        ArgumentNullException.ThrowIfNull(shard);
        if (tensor.Length > LongestName) throw new ArgumentException("the name is longer than a mebibyte", nameof(tensor));
        if (!Utf8.IsValid(tensor)) throw new ArgumentException("the name is not UTF-8", nameof(tensor));
        // Tensors of a file come together.
        int place = _shards.Count > 0 && _shards[^1] == shard ? _shards.Count - 1 : _shards.IndexOf(shard);
        if (place < 0)
        {
            place = _shards.Count;
            _shards.Add(shard);
        }

        _names.Add(tensor, place);
    }

    /// <summary>Adds what another one has collected, of other files. That one is not used any more.</summary>
    public void Add(ShardIndexBuilder part)
    {
        ArgumentNullException.ThrowIfNull(part);
        _names.Add(part._names, _shards.Count);
        _shards.AddRange(part._shards);
    }

    /// <summary>Writes the index.</summary>
    /// <param name="destination">Written from where it stands, and left open.</param>
    /// <param name="totalSize">Bytes of all tensors, without headers.</param>
    public void WriteTo(Stream destination, long totalSize)
    {
        ArgumentNullException.ThrowIfNull(destination);
        byte[][] shards = [.. _shards.Select(static shard => Encoding.ASCII.GetBytes(PythonJson.Text(shard)))];
        var text = new ArrayBufferWriter<byte>(BufferBytes);
        text.Write(Encoding.ASCII.GetBytes(Head(totalSize)));
        bool isFirst = true;
        // Python sorts by code point, which is the order of UTF-8.
        _names.Merge((name, shard) =>
        {
            text.Write(isFirst ? "\n    "u8 : ",\n    "u8);
            isFirst = false;
            Write(name, text);
            text.Write(": "u8);
            text.Write(shards[shard]);
            if (text.WrittenCount < BufferBytes) return;
            destination.Write(text.WrittenSpan);
            text.ResetWrittenCount();
        });
        text.Write(isFirst ? "}\n}\n"u8 : "\n  }\n}\n"u8);
        destination.Write(text.WrittenSpan);
    }

    private static void Write(ReadOnlySpan<byte> name, ArrayBufferWriter<byte> text)
    {
        if (name.ContainsAnyExcept(PythonJson.PlainBytes))
        {
            text.Write(Encoding.ASCII.GetBytes(PythonJson.Text(Encoding.UTF8.GetString(name))));
            return;
        }

        text.Write("\""u8);
        text.Write(name);
        text.Write("\""u8);
    }

    private static string Head(long totalSize) =>
        string.Create(CultureInfo.InvariantCulture, $"{{\n  \"metadata\": {{\n    \"total_size\": {totalSize}\n  }},\n  \"weight_map\": {{");
}
