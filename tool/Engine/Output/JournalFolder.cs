using System.Text;
using System.Text.Json;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Formats.IO;

namespace Bnb.Engine.Output;

/// <summary>
/// All journals of a folder read together. A line that its checksum does not fit was cut off by the end of its process: it
/// and all after it count for nothing.
/// </summary>
internal sealed class JournalFolder
{
    // A line a weight file: far more than any checkpoint has.
    private const long LongestJournal = 1 << 28;
    private const string Beginning = "{\"type\":\"begin\"";

    private readonly Dictionary<string, FileRecord> _shards = new(StringComparer.Ordinal);
    private readonly Dictionary<string, FileRecord> _sources = new(StringComparer.Ordinal);
    private readonly HashSet<string> _unhashed = new(StringComparer.Ordinal);
    private readonly List<(string Plan, string State, string Tool)> _begun = [];
    private readonly List<(ulong Device, ulong Inode)> _replaced = [];

    /// <summary>Names of the journals.</summary>
    public IReadOnlyList<string> Names { get; private init; } = [];

    /// <summary>Names of those that no run of this version wrote.</summary>
    public IReadOnlyList<string> Strange { get; private set; } = [];

    /// <summary>Plan, source state and tool of each run that began.</summary>
    public IReadOnlyList<(string Plan, string State, string Tool)> Begun => _begun;

    /// <summary>Weight files that are finished, by name.</summary>
    public IReadOnlyDictionary<string, FileRecord> Shards => _shards;

    /// <summary>Names of weight files that were finished without a hash: they are there, and nothing says whether they are sound.</summary>
    public IReadOnlySet<string> Unhashed => _unhashed;

    /// <summary>Contents of source files, by name.</summary>
    public IReadOnlyDictionary<string, FileRecord> Sources => _sources;

    /// <summary>Whether files have begun to move into a folder that cannot be renamed over.</summary>
    public bool Moves { get; private set; }

    /// <summary>Whether any journal is there.</summary>
    public static bool IsIn(string folder) =>
        Directory.Exists(folder) && Directory.EnumerateFiles(folder, ".bnb-journal*").Any(path => StagingNames.IsJournal(Path.GetFileName(path)));

    /// <param name="own">Weight files that this process itself wrote without a hash: for it, and for nobody else, they are finished.</param>
    public static JournalFolder Read(string folder, IEnumerable<FileRecord>? own = null)
    {
        string[] names = [.. Directory.EnumerateFiles(folder, ".bnb-journal*")
            .Select(path => Path.GetFileName(path)).Where(StagingNames.IsJournal).Order(StringComparer.Ordinal)];
        var journals = new JournalFolder { Names = names };
        journals.Strange = [.. names.Where(name => !journals.Take(Path.Combine(folder, name)))];
        foreach (FileRecord file in own ?? []) journals._shards[file.Name] = file;
        return journals;
    }

    /// <summary>Whether a run said that it replaces <paramref name="old"/>.</summary>
    public bool SaysItReplaced(FileIdentity old) => _replaced.Contains((old.Device, old.Inode));

    private bool Take(string path)
    {
        using PositionedFile file = PositionedFile.Open(path);
        if (file.Length > LongestJournal) return false;
        byte[] bytes = new byte[(int)file.Length];
        file.Read(0, bytes);
        return Take(bytes);
    }

    /// <summary>Takes the lines of one journal. Pure: touches no file.</summary>
    /// <returns>False when the text is not a journal of this version; one that ends in its first line is.</returns>
    internal bool Take(ReadOnlySpan<byte> rest)
    {
        for (bool first = true; ; first = false)
        {
            int end = rest.IndexOf((byte)'\n');
            if (end < 0) return !first || Encoding.UTF8.GetBytes(Beginning).AsSpan().StartsWith(rest[..Math.Min(rest.Length, Beginning.Length)]);
            if (!TakeLine(rest[..end], first)) return !first;
            rest = rest[(end + 1)..];
        }
    }

    private bool TakeLine(ReadOnlySpan<byte> line, bool first)
    {
        int cut = line.LastIndexOf(",\"line\":\""u8);
        if (cut < 0) return false;
        string checksum = RunJournal.Checksum(line[..cut]);
        if (!line[cut..].SequenceEqual(Encoding.ASCII.GetBytes($",\"line\":\"{checksum}\"}}"))) return false;
        try
        {
            return TakeEntry(JsonLine.Parse(line), first);
        }
        catch (Exception strange) when (strange is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }

    private bool TakeEntry(JsonElement entry, bool first)
    {
        string type = entry.GetProperty("type").GetString()!;
        if (first != (type == "begin")) return false;
        switch (type)
        {
            case "begin" when entry.GetProperty("journal").GetInt32() == RunJournal.Version:
                _begun.Add((Text("plan"), Text("source_state"), Text("tool")));
                return true;
            case "shard":
                _shards[Text("name")] = File();
                return true;
            case "unhashed":
                _ = _unhashed.Add(Text("name"));
                return true;
            case "source":
                _sources[Text("name")] = File();
                return true;
            case "replace":
                _replaced.Add((entry.GetProperty("device").GetUInt64(), entry.GetProperty("inode").GetUInt64()));
                return true;
            case "move":
                return Moves = true;
            default:
                return false;
        }

        string Text(string member) => entry.GetProperty(member).GetString() ?? throw new FormatException(member);
        FileRecord File() => new(Text("name"), entry.GetProperty("bytes").GetInt64(), Text("sha256"));
    }
}
