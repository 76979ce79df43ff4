using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Bnb.Engine.Plans;
using Bnb.Engine.Text;
using Bnb.Formats.IO;
using Microsoft.Win32.SafeHandles;

namespace Bnb.Engine.Output;

/// <summary>
/// What one process did in a staging folder, one JSON line each, every line durable before the next step and closed by a
/// checksum of itself. The first line says whose plan it is; a line is written only when what it names is durable.
/// </summary>
internal sealed class RunJournal : IDisposable
{
    /// <summary>Raised when lines change their meaning.</summary>
    public const int Version = 2;

    private readonly SafeFileHandle _handle;
    private readonly Lock _lock = new();
    private long _length;

    private RunJournal(string path, SafeFileHandle handle)
    {
        Path = path;
        _handle = handle;
    }

    public string Path { get; }

    /// <summary>How many files this process has recorded.</summary>
    public int Recorded { get; private set; }

    /// <summary>Begins a journal of this process.</summary>
    /// <param name="state">Of the source, <see cref="SourceRecord.StateOf"/>.</param>
    public static RunJournal Begin(string folder, PlanRecord plan, string state)
    {
        string path = System.IO.Path.Combine(folder, StagingNames.NewJournal());
        var journal = new RunJournal(path, File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete));
        try
        {
            journal.Append(json =>
            {
                json.WriteString("type", "begin");
                json.WriteNumber("journal", Version);
                json.WriteString("tool", ToolVersion.Name);
                json.WriteString("host", Environment.MachineName);
                json.WriteNumber("pid", Environment.ProcessId);
                json.WriteString("plan", plan.Hash);
                json.WriteString("source_state", state);
            });
            Posix.FsyncDirectory(folder);
            return journal;
        }
        catch
        {
            journal.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Records a weight file that has its final name and is durable. Without a hash it is only named: no run can go on from it.</summary>
    public void Shard(FileRecord file)
    {
        Append(json => WriteFile(json, file.Sha256 is null ? "unhashed" : "shard", file));
        Recorded++;
    }

    /// <summary>Records what the content of a source file hashes to.</summary>
    public void Source(FileRecord file) => Append(json => WriteFile(json, "source", file));

    /// <summary>Says, before files move one by one into a folder that cannot be renamed over, that they begin to.</summary>
    public void Moves() => Append(json => json.WriteString("type", "move"));

    /// <summary>Says, before the two folders change places, that <paramref name="old"/> may be deleted afterwards.</summary>
    public void Replaces(FileIdentity old) => Append(json =>
    {
        json.WriteString("type", "replace");
        json.WriteNumber("device", old.Device);
        json.WriteNumber("inode", old.Inode);
    });

    public void Dispose() => _handle.Dispose();

    /// <summary>The checksum that closes a line, over the text before it.</summary>
    internal static string Checksum(ReadOnlySpan<byte> text) => Convert.ToHexStringLower(SHA256.HashData(text))[..16];

    private static void WriteFile(Utf8JsonWriter json, string type, FileRecord file)
    {
        json.WriteString("type", type);
        json.WriteString("name", file.Name);
        json.WriteNumber("bytes", file.Bytes);
        if (file.Sha256 is { } content) json.WriteString("sha256", content);
    }

    private void Append(Action<Utf8JsonWriter> members)
    {
        byte[] text = Encoding.UTF8.GetBytes(JsonLine.Of(members).TrimEnd('}', '\n'));
        byte[] line = [.. text, .. Encoding.ASCII.GetBytes($",\"line\":\"{Checksum(text)}\"}}\n")];
        lock (_lock)
        {
            RandomAccess.Write(_handle, line, _length);
            Posix.Fsync(_handle, Path);
            _length += line.Length;
        }
    }
}
