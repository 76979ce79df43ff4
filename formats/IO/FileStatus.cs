namespace Bnb.Formats.IO;

/// <summary>One answer of stat: kind and identity.</summary>
internal readonly record struct FileStatus(FileKind Kind, FileIdentity Identity)
{
    /// <summary>Looks at a path without opening it, so that a pipe or device cannot block.</summary>
    /// <param name="path">Any path.</param>
    /// <param name="followLinks">False to see a symbolic link itself.</param>
    /// <param name="status">The answer.</param>
    /// <param name="errno">The Linux error number when the answer is false.</param>
    public static bool TryGet(string path, bool followLinks, out FileStatus status, out int errno)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            // A system call would stop reading at the NUL and look at another file.
            status = default;
            errno = Posix.ENOENT;
            return false;
        }

        if (OperatingSystem.IsLinux()) return Posix.TryStat(path, followLinks, out status, out errno);
        return TryGetManaged(path, followLinks, out status, out errno);
    }

    /// <summary>The kind in words, with its article.</summary>
    public string KindText() => Kind switch
    {
        FileKind.Regular => "a regular file",
        FileKind.Folder => "a folder",
        FileKind.Link => "a symbolic link",
        FileKind.Pipe => "a named pipe",
        FileKind.Socket => "a socket",
        FileKind.CharacterDevice => "a character device",
        FileKind.BlockDevice => "a block device",
        _ => "not a file",
    };

    private static bool TryGetManaged(string path, bool followLinks, out FileStatus status, out int errno)
    {
        status = default;
        errno = 0;
        FileSystemInfo info = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
        if (info.LinkTarget is not null)
        {
            if (!followLinks)
            {
                status = new(FileKind.Link, default);
                return true;
            }

            info = info.ResolveLinkTarget(returnFinalTarget: true) ?? info;
        }

        if (!info.Exists)
        {
            errno = Posix.ENOENT;
            return false;
        }

        long length = info is FileInfo file ? file.Length : 0;
        long modified = (info.LastWriteTimeUtc.Ticks - DateTime.UnixEpoch.Ticks) * 100;
        status = new(info is FileInfo ? FileKind.Regular : FileKind.Folder, new(0, 0, length, modified, 0));
        return true;
    }
}
