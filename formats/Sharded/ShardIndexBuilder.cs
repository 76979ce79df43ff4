using System.Globalization;
using System.Text;
using Bnb.Formats.Json;

namespace Bnb.Formats.Sharded;

/// <summary>
/// Collects an index and writes it as the transformers library does: Python's <c>json.dumps(indent=2, sort_keys=True)</c> and
/// a newline. Holds each name as UTF-8 and sixteen bytes beside it, for indexes of millions of tensors.
/// </summary>
public sealed class ShardIndexBuilder
{
    private const int FirstPieceBytes = 1 << 10, PieceBytes = 1 << 20;
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly List<byte[]> _names = [new byte[FirstPieceBytes]];
    private readonly List<(int Piece, int Start, int Length, int Shard)> _entries = [];
    private readonly List<string> _shards = [];
    private int _used;

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
        int length = tensor.Length;
        if (length > PieceBytes) throw new ArgumentException("the name is longer than a mebibyte", nameof(tensor));
        if (!System.Text.Unicode.Utf8.IsValid(tensor)) throw new ArgumentException("the name is not UTF-8", nameof(tensor));
        if (_used + length > _names[^1].Length)
        {
            // A small index costs little, and one of millions of names few pieces.
            _names.Add(new byte[Math.Max(length, Math.Min(PieceBytes, _names[^1].Length * 2))]);
            _used = 0;
        }

        tensor.CopyTo(_names[^1].AsSpan(_used));
        // Tensors of a file come together.
        int place = _shards.Count > 0 && _shards[^1] == shard ? _shards.Count - 1 : _shards.IndexOf(shard);
        if (place < 0)
        {
            place = _shards.Count;
            _shards.Add(shard);
        }

        _entries.Add((_names.Count - 1, _used, length, place));
        _used += length;
    }

    /// <summary>Writes the index.</summary>
    /// <param name="destination">Written from where it stands, and left open.</param>
    /// <param name="totalSize">Bytes of all tensors, without headers.</param>
    public void WriteTo(Stream destination, long totalSize)
    {
        ArgumentNullException.ThrowIfNull(destination);
        // Python sorts by code point, which is the order of UTF-8.
        _entries.Sort((a, b) => NameOf(a).SequenceCompareTo(NameOf(b)));
        string[] shards = [.. _shards.Select(PythonJson.Text)];
        using var text = new StreamWriter(destination, Encoding.ASCII, 1 << 16, leaveOpen: true) { NewLine = "\n" };
        text.Write(Head(totalSize));
        for (int i = 0; i < _entries.Count; i++)
        {
            text.Write(i == 0 ? "\n    " : ",\n    ");
            text.Write(PythonJson.Text(Encoding.UTF8.GetString(NameOf(_entries[i]))));
            text.Write(": ");
            text.Write(shards[_entries[i].Shard]);
        }

        text.Write(_entries.Count == 0 ? "}\n}\n" : "\n  }\n}\n");
    }

    private static string Head(long totalSize) =>
        string.Create(CultureInfo.InvariantCulture, $"{{\n  \"metadata\": {{\n    \"total_size\": {totalSize}\n  }},\n  \"weight_map\": {{");

    private ReadOnlySpan<byte> NameOf((int Piece, int Start, int Length, int Shard) entry) => _names[entry.Piece].AsSpan(entry.Start, entry.Length);
}
