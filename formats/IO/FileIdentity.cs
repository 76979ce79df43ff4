using Bnb.Formats.Primitives;

namespace Bnb.Formats.IO;

/// <summary>
/// What tells one state of a file from another. The change time is what catches a file that was replaced and whose
/// modification time was set back.
/// </summary>
/// <param name="Device">Number of the file system; 0 where the system does not say.</param>
/// <param name="Inode">Number of the file on it; 0 where the system does not say.</param>
/// <param name="Length">Bytes.</param>
/// <param name="ModifiedNs">Last change of the content, nanoseconds since 1970.</param>
/// <param name="ChangedNs">Last change of content or attributes, nanoseconds since 1970; 0 where the system does not say.</param>
public readonly record struct FileIdentity(ulong Device, ulong Inode, long Length, long ModifiedNs, long ChangedNs)
{
    /// <summary>Looks at a path; links are followed.</summary>
    /// <exception cref="CheckpointFormatException">Nothing is there, or it may not be looked at.</exception>
    public static FileIdentity Of(string path)
    {
        if (FileStatus.TryGet(path, followLinks: true, out FileStatus status, out int errno)) return status.Identity;
        throw FileProbe.StatFailed(path, errno);
    }

    /// <summary>What is at a path, in words with an article, such as "a named pipe"; links are not followed.</summary>
    /// <returns>Null when nothing is there, or it may not be looked at.</returns>
    public static string? KindAt(string path) => FileStatus.TryGet(path, followLinks: false, out FileStatus status, out _) ? status.KindText() : null;
}
