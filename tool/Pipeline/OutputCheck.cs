using Bnb.Formats.IO;
using Bnb.Tool.Errors;
using Bnb.Tool.Options;

namespace Bnb.Tool.Pipeline;

/// <summary>Refuses an output place before anything is created: the input itself, a file, a full disk.</summary>
internal static class OutputCheck
{
    private const int EntriesShown = 5;

    public static void Run(OutputPlace place, string sourcePath, bool overwrite, long bytesNeeded)
    {
        string outputPath = place.Path;
        string parent = place.Parent
            ?? throw Refuse("OUTPUT-EXISTS", "the output cannot be the root folder", outputPath, "choose another --output");
        RefuseOverlap(outputPath, Posix.RealPath(sourcePath) ?? sourcePath);
        RefuseExisting(place, overwrite);
        if (!Directory.Exists(parent) && !Directory.Exists(Path.GetDirectoryName(parent)))
            throw Refuse("OUTPUT-PARENT", "the folder that would hold the output does not exist", parent, "create it, or choose another --output");
        RefuseFullDisk(place.SpaceFrom, bytesNeeded);
    }

    private static void RefuseOverlap(string outputPath, string sourcePath)
    {
        // Device and inode see through links, "..", bind mounts and case: compare every folder above one with the other.
        FileIdentity source = FileIdentity.Of(Directory.Exists(sourcePath) ? sourcePath : Path.GetDirectoryName(sourcePath)!);
        for (string? folder = outputPath; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (!Path.Exists(folder) || !Same(FileIdentity.Of(folder), source)) continue;
            // A file as source has a parent folder that may well hold the output too.
            if (folder != outputPath && !Directory.Exists(sourcePath)) break;
            throw Refuse("OUTPUT-IS-INPUT", "the output is the input or lies inside it", outputPath, "choose another --output");
        }

        if (!Directory.Exists(outputPath)) return;
        FileIdentity output = FileIdentity.Of(outputPath);
        for (string? folder = sourcePath; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (Same(FileIdentity.Of(folder), output))
                throw Refuse("OUTPUT-IS-INPUT", "the input lies inside the output", outputPath, "choose another --output");
        }
    }

    private static bool Same(FileIdentity a, FileIdentity b) => a.Device == b.Device && a.Inode == b.Inode;

    private static void RefuseExisting(OutputPlace place, bool overwrite)
    {
        var info = new FileInfo(place.Path);
        if (info.LinkTarget is not null)
            throw Refuse("OUTPUT-EXISTS", "the output is a symbolic link", place.Path, "name the folder it points to, or choose another --output");
        if (info.Exists)
            throw Refuse("OUTPUT-EXISTS", "the output is an existing file", place.Path, "choose another --output");
        if (!Directory.Exists(place.Path)) return;

        List<string> entries = [.. place.Entries().Take(EntriesShown + 1).Order(StringComparer.Ordinal)];
        if (entries.Count == 0 || (overwrite && !place.IsMountPoint)) return;
        throw new UserErrorException(ExitCode.OutputRefused, "OUTPUT-EXISTS", "the output folder exists and is not empty")
        {
            File = place.Path,
            Facts = [("holds", string.Join(", ", entries.Take(EntriesShown)) + (entries.Count > EntriesShown ? ", ..." : ""))],
            Action = place.IsMountPoint
                ? "it is a mount point and cannot be replaced as a whole: empty it, or name a folder inside it"
                : "choose another --output, or use --overwrite to replace it",
        };
    }

    private static void RefuseFullDisk(string folder, long bytesNeeded)
    {
        long free = new DriveInfo(folder).AvailableFreeSpace;
        if (free >= bytesNeeded) return;
        throw new UserErrorException(ExitCode.NoSpace, "NOSPACE", "not enough free space for the output")
        {
            File = folder,
            Facts = [("need", ByteSize.Exact(bytesNeeded) + " bytes"), ("free", ByteSize.Exact(free) + " bytes")],
            Action = "free space, or choose another --output",
        };
    }

    private static UserErrorException Refuse(string code, string summary, string path, string action) =>
        new(ExitCode.OutputRefused, code, summary) { File = path, Action = action };
}
