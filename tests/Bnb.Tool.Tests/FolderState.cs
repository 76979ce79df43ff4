using System.Security.Cryptography;

namespace Bnb.Tool.Tests;

/// <summary>
/// A folder as it lies on disk: every entry with its kind, time, and content or link target. Links are not followed and
/// pipes not opened, so that hostile folders can be compared too.
/// </summary>
internal static class FolderState
{
    public static string Of(string path)
    {
        List<string> lines = [];
        Add(new DirectoryInfo(path), "", lines);
        return string.Join('\n', lines);
    }

    private static void Add(DirectoryInfo folder, string prefix, List<string> lines)
    {
        foreach (FileSystemInfo entry in folder.EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal))
        {
            string name = $"{prefix}{entry.Name} {entry.LastWriteTimeUtc.Ticks}";
            if (entry.LinkTarget is { } target)
            {
                lines.Add($"{name} -> {target}");
            }
            else if (entry is DirectoryInfo inner)
            {
                lines.Add($"{name} folder");
                Add(inner, prefix + entry.Name + "/", lines);
            }
            else
            {
                // Pipes have length 0, and opening one would wait for a writer.
                byte[] content = ((FileInfo)entry).Length == 0 ? [] : File.ReadAllBytes(entry.FullName);
                lines.Add($"{name} {content.Length} {Convert.ToHexString(SHA256.HashData(content))}");
            }
        }
    }
}
