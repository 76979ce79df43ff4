using Bnb.Formats.IO;

namespace Bnb.Engine.Output;

/// <summary>
/// Where an output goes and how it becomes visible: by one rename of the whole folder, or, when the folder is a mount point
/// (a container's volume, say) that cannot be renamed, file by file with config.json last.
/// </summary>
/// <param name="Path">Absolute, with links in its parent resolved.</param>
/// <param name="IsMountPoint">True when the existing folder is on another device than its parent.</param>
internal sealed record OutputPlace(string Path, bool IsMountPoint)
{
    /// <summary>The folder the output lies in; null for the root folder.</summary>
    public string? Parent => System.IO.Path.GetDirectoryName(Path);

    /// <summary>The device that will hold the bytes is this folder's.</summary>
    public string SpaceFrom => IsMountPoint ? Path : Directory.Exists(Parent) ? Parent! : System.IO.Path.GetDirectoryName(Parent)!;

    public static OutputPlace Of(string path)
    {
        string full = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        string? parent = System.IO.Path.GetDirectoryName(full);
        if (parent is not null && Posix.RealPath(parent) is { } real) full = System.IO.Path.Combine(real, System.IO.Path.GetFileName(full));
        parent = System.IO.Path.GetDirectoryName(full);
        bool mounted = parent is not null && Directory.Exists(full) && Directory.Exists(parent)
            && FileIdentity.Of(full).Device != FileIdentity.Of(parent).Device;
        return new OutputPlace(full, mounted);
    }

    /// <summary>Names in the existing output folder, but for our staging folder and what a file system keeps in its root.</summary>
    public IEnumerable<string> Entries() => Directory.EnumerateFileSystemEntries(Path)
        .Select(System.IO.Path.GetFileName).OfType<string>().Where(name => name != StagingNames.Suffix && !(IsMountPoint && name == "lost+found"));
}
