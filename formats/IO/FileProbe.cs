using System.Globalization;
using Bnb.Formats.Primitives;

namespace Bnb.Formats.IO;

/// <summary>Looks at paths before anything is opened, and says in words what is wrong with them.</summary>
internal static class FileProbe
{
    /// <summary>The status of a regular file, links followed.</summary>
    /// <exception cref="CheckpointFormatException">It is missing, of another kind, or may not be looked at.</exception>
    public static FileStatus RequireRegular(string path)
    {
        if (!FileStatus.TryGet(path, followLinks: true, out FileStatus status, out int errno)) throw StatFailed(path, errno);
        return status.Kind == FileKind.Regular ? status : throw NotRegular(path, status);
    }

    /// <summary>True when a directory entry of that name is there, even a link that leads nowhere.</summary>
    public static bool EntryExists(string path) => FileStatus.TryGet(path, followLinks: false, out _, out _);

    /// <summary>The error for a path that could not be looked at or opened.</summary>
    public static Exception StatFailed(string path, int errno) => errno switch
    {
        Posix.ENOENT or Posix.ENOTDIR => Missing(path),
        Posix.EACCES or Posix.EPERM => new CheckpointFormatException(
            FormatError.FileDenied,
            $"{ShortName(path)}: permission denied",
            path,
            action: "make it readable for this user"),
        Posix.ELOOP => new CheckpointFormatException(
            FormatError.FileIsNotRegular,
            $"{ShortName(path)} is a symbolic link that leads back to itself",
            path,
            facts: LinkFacts(path),
            action: "replace the link by the file"),
        Posix.ENAMETOOLONG =>
            new CheckpointFormatException(
                FormatError.FileMissing, $"{ShortName(path)}: the name is too long", path, action: "check the path"),
        _ => Posix.Failed("stat", path, errno),
    };

    /// <summary>The error for a folder, pipe or device where a file should be.</summary>
    public static CheckpointFormatException NotRegular(string path, FileStatus status) => new(
        FormatError.FileIsNotRegular,
        $"{ShortName(path)} is {status.KindText()}, not a regular file",
        path,
        facts: LinkFacts(path),
        action: "put a regular file in its place, or remove it");

    /// <summary>The last part of a path, escaped.</summary>
    public static string ShortName(string path)
    {
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
        return DisplayText.Escape(name.Length > 0 ? name : path);
    }

    /// <summary>Where a symbolic link points to, or null.</summary>
    public static string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
        catch (UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A whole small file, bounded before it is read.</summary>
    /// <exception cref="CheckpointFormatException">It is missing, no regular file, a Git LFS pointer, or over the
    /// limit.</exception>
    public static byte[] ReadSmall(string path, long limit, FormatError tooLong)
    {
        using PositionedFile file = PositionedFile.Open(path);
        if (file.Length > limit)
        {
            throw new CheckpointFormatException(
                tooLong,
                $"{ShortName(path)} is too large to be what its name says",
                path,
                facts: [("size", DisplayText.Bytes(file.Length)), ("limit", DisplayText.Bytes(limit))],
                action: "download this file again");
        }

        byte[] bytes = new byte[(int)file.Length];
        file.Read(0, bytes);
        LfsPointer.ThrowIfPointer(bytes, path);
        return bytes;
    }

    private static CheckpointFormatException Missing(string path)
    {
        if (LinkTarget(path) is { } target)
        {
            return new CheckpointFormatException(
                FormatError.FileMissing,
                $"{ShortName(path)} is a link to a file that is not there",
                path,
                facts: [("links to", DisplayText.Escape(target)), .. IncompleteFacts(path)],
                action: "download the file again");
        }

        return new CheckpointFormatException(
            FormatError.FileMissing,
            $"{ShortName(path)} is not there",
            path,
            facts: IncompleteFacts(path),
            action: "check the path, or download the file");
    }

    private static (string Label, string Value)[] LinkFacts(string path) =>
        LinkTarget(path) is { } target ? [("links to", DisplayText.Escape(target))] : [];

    private static (string Label, string Value)[] IncompleteFacts(string path)
    {
        // Interrupted downloads leave "name.incomplete" beside the file or in the downloader's cache folder.
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        string name = Path.GetFileName(path);
        foreach (string place in (string[])[folder, Path.Combine(folder, ".cache", "huggingface", "download")])
        {
            if (!Directory.Exists(place)) continue;
            try
            {
                string? found = Directory.EnumerateFiles(place).Take(FormatLimits.FolderEntries).FirstOrDefault(file =>
                    file.EndsWith(".incomplete", StringComparison.Ordinal)
                    && Path.GetFileName(file).StartsWith(name, StringComparison.Ordinal));
                if (found is null) continue;
                string size = new FileInfo(found).Length.ToString("N0", CultureInfo.InvariantCulture);
                return [("unfinished", $"{ShortName(found)}, {size} bytes")];
            }
            catch (UnauthorizedAccessException)
            {
                // Only a hint for the message; the folder may be unreadable.
            }
            catch (IOException)
            {
                // As above.
            }
        }

        return [];
    }
}
