using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Bnb.Formats.IO;
using Bnb.Formats.Json;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.Sharded;

/// <summary>The <c>*.safetensors.index.json</c> or <c>*.bin.index.json</c> of a checkpoint in several files: which tensor is in which file.</summary>
public sealed class ShardIndex
{
    private const string TorchIndex = ".bin.index.json";
    private const string DownloadAgain = "download this file again";

    private ShardIndex(IReadOnlyList<KeyValuePair<string, string>> weightMap, long? totalSize)
    {
        WeightMap = weightMap;
        TotalSize = totalSize;
    }

    /// <summary>Tensor name to shard path in the order of the file. Every path is relative, inside the folder, and a
    /// file of the format that the index is named after.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> WeightMap { get; }

    /// <summary>
    /// Bytes of all tensors as the index claims, or null when absent or not a number. Published models have it wrong, so it
    /// is never more than a reason for a note.
    /// </summary>
    public long? TotalSize { get; }

    /// <summary>Reads and checks an index. Pure: touches no file.</summary>
    /// <param name="utf8">The whole file.</param>
    /// <param name="file">Path for messages.</param>
    /// <exception cref="CheckpointFormatException">A rule is broken; the error has an IDX code.</exception>
    public static ShardIndex Parse(ReadOnlySpan<byte> utf8, string file)
    {
        string name = FileProbe.ShortName(file);
        try
        {
            if (!Utf8.IsValid(utf8))
            {
                string at = JsonPosition.FirstInvalidUtf8(utf8).ToString(CultureInfo.InvariantCulture);
                throw new CheckpointFormatException(
                    FormatError.IndexNotJson, $"{name} is not UTF-8", file, facts: [("first bad byte", $"at {at}")], action: DownloadAgain);
            }

            return ReadTop(utf8, file, name);
        }
        catch (JsonException error)
        {
            throw NotJson(name, file, JsonPosition.Text(error), JsonPosition.Reason(error), error);
        }
        catch (InvalidOperationException error)
        {
            throw NotJson(name, file, "unknown", "text with an unpaired surrogate escape", error);
        }
    }

    /// <summary>
    /// Writes an index as the transformers library does: Python's <c>json.dumps(indent=2, sort_keys=True)</c> and a newline.
    /// </summary>
    /// <param name="weightMap">Tensor name to shard file name, any order.</param>
    /// <param name="totalSize">Bytes of all tensors, without headers.</param>
    /// <exception cref="ArgumentException">A tensor's name is not valid UTF-16.</exception>
    public static byte[] Write(IEnumerable<KeyValuePair<string, string>> weightMap, long totalSize)
    {
        ArgumentNullException.ThrowIfNull(weightMap);
        var builder = new ShardIndexBuilder();
        foreach ((string tensor, string shard) in weightMap) builder.Add(tensor, shard);
        using var bytes = new MemoryStream();
        builder.WriteTo(bytes, totalSize);
        return bytes.ToArray();
    }

    private static ShardIndex ReadTop(ReadOnlySpan<byte> utf8, string file, string name)
    {
        Utf8JsonReader reader = new(utf8, new JsonReaderOptions { MaxDepth = FormatLimits.ConfigDepth });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw Schema(name, file, "is not a JSON object", reader.TokenType);
        List<KeyValuePair<string, string>>? map = null;
        long? totalSize = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (reader.ValueTextEquals("weight_map"u8))
            {
                if (map is not null) throw Duplicate(name, file, "weight_map", []);
                map = ReadMap(ref reader, file, name);
            }
            else if (reader.ValueTextEquals("metadata"u8))
            {
                totalSize = ReadTotalSize(ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        reader.Read();
        if (map is null) throw Schema(name, file, "has no weight_map", null);
        return map.Count > 0 ? new ShardIndex(map, totalSize) : throw Schema(name, file, "has an empty weight_map", null);
    }

    private static List<KeyValuePair<string, string>> ReadMap(ref Utf8JsonReader reader, string file, string name)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Schema(name, file, "has a weight_map that is no object", reader.TokenType);
        // The other format's reader has other rules: an index does not lead from one to the other.
        string ending = file.EndsWith(TorchIndex, StringComparison.Ordinal) ? ".bin" : ".safetensors";
        List<KeyValuePair<string, string>> map = [];
        Dictionary<string, string> seen = new(StringComparer.Ordinal);
        Dictionary<string, string> shards = new(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            string tensor = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new CheckpointFormatException(
                    FormatError.IndexSchema,
                    $"{name}: the shard of a tensor is not a string",
                    file,
                    tensor,
                    [("tensor", DisplayText.Escape(tensor)), ("found", reader.TokenType.ToString())],
                    DownloadAgain);
            }

            string shard = reader.GetString()!;
            if (!seen.TryAdd(tensor, shard))
            {
                throw Duplicate(
                    name, file, tensor, [("shards", $"{DisplayText.Escape(seen[tensor])} and {DisplayText.Escape(shard)}")]);
            }

            // A few shards are named millions of times: check each once and keep one string of it.
            if (shards.TryGetValue(shard, out string? known)) shard = known;
            else
            {
                ShardPath.Check(shard, ending, file);
                shards.Add(shard, shard);
            }

            map.Add(new(tensor, shard));
        }

        return map;
    }

    private static long? ReadTotalSize(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return null;
        }

        long? size = null;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            bool isSize = reader.ValueTextEquals("total_size"u8);
            reader.Read();
            if (isSize && reader.TokenType == JsonTokenType.Number)
            {
                if (reader.TryGetInt64(out long whole)) size = whole;
                else if (reader.TryGetDouble(out double real) && real is >= 0 and < 9e18) size = (long)real;
            }

            reader.Skip();
        }

        return size;
    }

    private static CheckpointFormatException NotJson(string name, string file, string position, string reason, Exception inner) =>
        new(
        FormatError.IndexNotJson,
        $"{name} is not valid JSON",
        file,
        facts: [("position", position), ("expected", DisplayText.Escape(reason))],
        action: DownloadAgain,
        inner: inner);

    private static CheckpointFormatException Schema(string name, string file, string what, JsonTokenType? found) => new(
        FormatError.IndexSchema,
        $"{name} {what}",
        file,
        facts: found is null ? [] : [("found", found.Value.ToString())],
        action: "download this file again, or remove it when the checkpoint is one file");

    private static CheckpointFormatException Duplicate(string name, string file, string key, (string, string)[] facts) => new(
        FormatError.IndexDuplicate,
        $"{name} gives a key twice",
        file,
        facts: [("key", DisplayText.Escape(key)), .. facts],
        action: DownloadAgain);
}
