using System.Text;
using System.Text.Json;
using Bnb.Engine.Text;
using Bnb.Formats.IO;

namespace Bnb.Engine.Output;

/// <summary>
/// The file that marks a folder as an unfinished run of ours: JSON lines, the first saying who began it, a second, if any,
/// which folder it is about to replace. It is deleted last of all.
/// </summary>
internal static class RunJournal
{
    // Hidden and ours: a side file of the source could well be called journal.jsonl.
    private const string Name = ".bnb-journal.jsonl";

    // Two lines; a longer one is not ours.
    private const long LongestJournal = 1 << 16;

    public static string PathIn(string folder) => Path.Combine(folder, Name);

    public static bool IsIn(string folder) => File.Exists(PathIn(folder));

    public static void Begin(string folder)
    {
        using var handle = File.OpenHandle(PathIn(folder), FileMode.CreateNew, FileAccess.Write);
        Append(handle, json =>
        {
            json.WriteString("type", "begin");
            json.WriteNumber("journal", 1);
            json.WriteString("tool", ToolVersion.Name);
            json.WriteString("host", Environment.MachineName);
            json.WriteNumber("pid", Environment.ProcessId);
        });
    }

    /// <summary>Says, before the two folders change places, that <paramref name="old"/> may be deleted afterwards.</summary>
    public static void Replaces(string folder, FileIdentity old)
    {
        using var handle = File.OpenHandle(PathIn(folder), FileMode.Open, FileAccess.Write);
        Append(handle, json =>
        {
            json.WriteString("type", "replace");
            json.WriteNumber("device", old.Device);
            json.WriteNumber("inode", old.Inode);
        });
    }

    /// <summary>Whether the journal in <paramref name="folder"/> says that it replaced <paramref name="old"/>.</summary>
    public static bool SaysItReplaced(string folder, FileIdentity old)
    {
        string path = PathIn(folder);
        if (new FileInfo(path).Length > LongestJournal) return false;
        foreach (string line in File.ReadLines(path))
        {
            try
            {
                JsonElement entry = JsonElement.Parse(line);
                if (entry.GetProperty("type").GetString() == "replace"
                    && entry.GetProperty("device").GetUInt64() == old.Device
                    && entry.GetProperty("inode").GetUInt64() == old.Inode)
                    return true;
            }
            catch (Exception halfWritten) when (halfWritten is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                // Killed while writing the line: then the folders had not changed places yet.
                return false;
            }
        }

        return false;
    }

    private static void Append(Microsoft.Win32.SafeHandles.SafeFileHandle handle, Action<Utf8JsonWriter> members)
    {
        RandomAccess.Write(handle, Encoding.UTF8.GetBytes(JsonLine.Of(members)), RandomAccess.GetLength(handle));
        Posix.Fsync(handle);
    }
}
